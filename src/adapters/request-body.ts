import { Readable } from "node:stream";
import { SpillwayError } from "../errors.ts";
import type { BodyForm } from "../http/message.ts";
import { mediaType } from "../util/media-type.ts";

/** What a body parser has left of a body. */
export interface ConsumedBody {
  /** The bytes or the text as received, if they were kept. */
  readonly raw?: unknown;
  /** What the parser made of it: bytes or text as received, or the value of JSON. */
  readonly parsed?: unknown;
  readonly contentType: string | undefined;
  /** The `Content-Length` of the request. */
  readonly length: string | undefined;
}

/**
 * Reads a body that something else has read before; see `HttpRequest.body`.
 * @throws {SpillwayError} `body-consumed`, `body-too-large`; what `take` throws.
 */
export function readConsumed(body: ConsumedBody, limit: number, take: (bytes: number) => void, form: BodyForm): Buffer {
  const bytes = bytesOf(body, form);
  assertSize(bytes.length, limit);
  take(bytes.length);
  return bytes;
}

/**
 * A body that something else has read, to be forwarded under the headers of the request.
 * @throws {SpillwayError} `body-consumed`
 */
export function toForwarded(body: ConsumedBody): AsyncIterable<Uint8Array> {
  const bytes = bytesOf(body, "exact");
  if (body.length === undefined || Number(body.length) === bytes.length) return Readable.from([bytes]);
  const message = "the body that was read is not the one that was received: mount the gateway before the body parser";
  throw new SpillwayError("body-consumed", message, { field: "body" });
}

function bytesOf({ raw, parsed, contentType }: ConsumedBody, form: BodyForm): Buffer {
  const known = asBytes(raw) ?? asBytes(parsed);
  if (known) return known;
  if (form === "exact") {
    const message =
      "the signature or the forwarding of a body needs its bytes, but a body parser has read them: mount the gateway before the body parser, or keep the bytes as request.rawBody";
    throw new SpillwayError("body-consumed", message, { field: "body" });
  }
  if (parsed !== undefined && isJson(contentType)) return Buffer.from(JSON.stringify(parsed));
  const message =
    "something has read the body and left neither request.body nor request.rawBody: mount the gateway before it, or before the body parser if the body is not JSON";
  throw new SpillwayError("body-consumed", message, { field: "body" });
}

function asBytes(value: unknown): Buffer | undefined {
  if (typeof value === "string") return Buffer.from(value);
  if (Buffer.isBuffer(value)) return value;
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  return ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : undefined;
}

function isJson(contentType: string | undefined): boolean {
  const type = mediaType(contentType);
  return type === "application/json" || type.endsWith("+json");
}

/**
 * Reads a body as it arrives to its end; see `HttpRequest.body`.
 * @throws {SpillwayError} `body-too-large`; what `take` and the chunks throw.
 */
export async function readArriving(
  chunks: AsyncIterable<Uint8Array>,
  limit: number,
  take: (bytes: number) => void,
): Promise<Buffer> {
  const read: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.byteLength;
    assertSize(length, limit);
    take(chunk.byteLength);
    read.push(chunk);
  }
  return Buffer.concat(read);
}

/** The error of a body that ends early. It is the client's: if it were logged as the server's, clients could fill the log. */
export function incompleteBody(cause?: unknown): SpillwayError {
  return new SpillwayError("request-invalid", "the request body is incomplete", { field: "body", cause });
}

/** @throws {SpillwayError} `body-too-large` */
export function assertSize(length: number, limit: number): void {
  if (length > limit) throw new SpillwayError("body-too-large", undefined, { expected: `at most ${limit} bytes` });
}
