import { ResponseReader, type ResponseHead } from "../../../src/http1/response-reader.ts";

/** What a reader has found in the bytes of a connection. */
export interface ReadResponse {
  readonly heads: ReadonlyArray<Pick<ResponseHead, "status" | "fields">>;
  readonly body: string;
  readonly trailers: readonly string[];
  readonly isDone: boolean;
  readonly endsWithConnection: boolean;
  /** What follows the response. */
  readonly rest: string;
  /** The code of the error. */
  readonly error?: string;
}

/** Reads the response to one request from these pieces; a character stands for a byte. */
export function readResponse(pieces: readonly string[], method = "GET"): ReadResponse {
  const heads: Array<Pick<ResponseHead, "status" | "fields">> = [];
  let body = "";
  let rest = "";
  let error: string | undefined;
  const reader = new ResponseReader({
    onHead: ({ status, fields }) => heads.push({ status, fields }),
    onBody: (bytes) => (body += bytes.toString("latin1")),
  });
  reader.begin(method);
  try {
    for (const piece of pieces) {
      const bytes = Buffer.from(piece, "latin1");
      let at = 0;
      while (at < bytes.length && !reader.isDone) at = reader.read(bytes, at);
      // Decoding moves bytes.
      rest += piece.slice(at);
    }
  } catch (thrown) {
    error = (thrown as { readonly code: string }).code;
  }
  const { isDone, endsWithConnection, trailers } = reader;
  return { heads, body, trailers, isDone, endsWithConnection, rest, ...(error !== undefined && { error }) };
}

/** Cuts a text into pieces of these sizes, in turn. */
export function cut(text: string, sizes: readonly number[]): string[] {
  const pieces: string[] = [];
  for (let at = 0, i = 0; at < text.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? 1);
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  return pieces;
}
