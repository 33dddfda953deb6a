import type { Readable } from "node:stream";
import type { Sink, SinkListener } from "../hub/sink.ts";

/** A request as the core sees it; each adapter makes one out of its framework's. */
export interface HttpRequest {
  /** Upper case. */
  readonly method: string;
  /** The path as it came, percent-encoded, below where the gateway is mounted. */
  readonly path: string;
  /** The path below which the gateway is mounted, such as `/live`; empty for the root. */
  readonly mount: string;
  readonly query: URLSearchParams;
  /** Whether the program around the gateway answers what the gateway does not. */
  readonly isShared?: boolean | undefined;
  /** A header by its lower-case name; several are joined as RFC 9110 §5.3 says. */
  header(name: string): string | undefined;
  /**
   * The whole body as text.
   * @param take called with the bytes of each part that has arrived
   * @throws {SpillwayError} `body-too-large` beyond `limit` bytes; what `take` throws.
   */
  body(limit: number, take: (bytes: number) => void): Promise<string>;
  /** Aborts when the client has gone. To be read once. */
  readonly signal: AbortSignal;
  /** The address of the other end of the connection; absent where it is not known. */
  readonly address?: string | undefined;
  /** Whether the connection is encrypted. */
  readonly secure: boolean;
}

export type HttpHeaders = Readonly<Record<string, string>>;

/** A complete answer, a file, or a stream that is fed through a sink. */
export type HttpResponse = HttpBody | HttpFile | HttpStream;

export interface HttpBody {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly body?: string | undefined;
}

export interface HttpFile {
  readonly status: number;
  /** With its length. */
  readonly headers: HttpHeaders;
  /** To be read to its end, or destroyed. */
  readonly file: Readable;
}

export interface HttpStream {
  readonly status: 200;
  readonly headers: HttpHeaders;
  /** Starts to write, once the headers are out; the adapter tells the listener of the sink's drains and of its end. */
  open(sink: Sink): SinkListener;
  /** Called instead of `open` where the client has gone meanwhile. */
  abandon(): void;
}

/** A JSON answer. */
export function json(value: object, headers: HttpHeaders = {}, status = 200): HttpBody {
  return {
    status,
    headers: {
      "Content-Type": "application/json",
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
      ...headers,
    },
    body: JSON.stringify(value),
  };
}
