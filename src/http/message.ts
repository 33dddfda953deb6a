import type { Readable } from "node:stream";
import type { Sink, SinkListener } from "../hub/sink.ts";

/** A request independent of a framework. Each adapter creates it from the framework's request. */
export interface HttpRequest {
  /** Upper case. */
  readonly method: string;
  /** The path relative to the mount, percent-encoded as received. */
  readonly path: string;
  /** The path below which the gateway is mounted, such as `/live`; empty for the root. */
  readonly mount: string;
  readonly query: URLSearchParams;
  /** Whether the embedding program answers the paths that the gateway does not. */
  readonly isShared?: boolean | undefined;
  /** The value of a header by its lower-case name. Repeated headers are joined (RFC 9110 §5.3). */
  header(name: string): string | undefined;
  /**
   * The whole body as text.
   * @param take called with the number of bytes of each chunk
   * @throws {SpillwayError} `body-too-large` beyond `limit` bytes; what `take` throws.
   */
  body(limit: number, take: (bytes: number) => void): Promise<string>;
  /** Aborts when the client disconnects. Read this property only once. */
  readonly signal: AbortSignal;
  /** The address of the connection's remote end; absent if it is unknown. */
  readonly address?: string | undefined;
  /** Whether the connection is encrypted. */
  readonly secure: boolean;
}

export type HttpHeaders = Readonly<Record<string, string>>;

/** A complete response, a file, or a stream that is written through a sink. */
export type HttpResponse = HttpBody | HttpFile | HttpStream;

export interface HttpBody {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly body?: string | undefined;
}

export interface HttpFile {
  readonly status: number;
  /** The headers, including the length. */
  readonly headers: HttpHeaders;
  /** The content. It must be read to its end, or destroyed. */
  readonly file: Readable;
}

export interface HttpStream {
  readonly status: 200;
  readonly headers: HttpHeaders;
  /**
   * Starts the stream after the headers were sent. The adapter notifies the returned listener of the sink's drains and
   * its end.
   */
  open(sink: Sink): SinkListener;
  /** Called instead of `open` if the client has disconnected meanwhile. */
  abandon(): void;
}

/** Creates a JSON response. */
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
