import type { Duplex, Readable } from "node:stream";
import type { GrantDecision } from "../access/authorize.ts";
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
   * The whole body.
   * @param take called with the number of bytes of each chunk
   * @param form `exact`: the bytes that were received. `equivalent`: if a body parser has already read the body, also JSON
   * with the same value.
   * @throws {SpillwayError} `body-too-large` beyond `limit` bytes; `body-consumed`; what `take` throws.
   */
  body(limit: number, take: (bytes: number) => void, form: BodyForm): Promise<Buffer>;
  /** Aborts when the client disconnects. Read this property only once. */
  readonly signal: AbortSignal;
  /** The address of the connection's remote end; absent if it is unknown. */
  readonly address?: string | undefined;
  /** Whether the connection is encrypted. */
  readonly secure: boolean;
  /** Decides about the request in place of the gateway's own access rules; absent if these decide. */
  readonly grant?: (() => GrantDecision) | undefined;
  /** How long a subscription or a long poll may last at most, in ms. Default: as long as `limits` allow. */
  readonly maxDuration?: number | undefined;
  /** The whole request, to be forwarded; absent where only subscriptions are served. */
  readonly original?: OriginalRequest;
}

/** Which bytes of a body are needed, see {@link HttpRequest.body}. */
export type BodyForm = "exact" | "equivalent";

/** What a handler of a gateway takes from the embedding program, for one request or for all. */
export interface HandlerOptions<Request> {
  /**
   * Decides who the sender is and its rights, in place of the gateway's own access rules (`access`): credentials are not
   * read. `undefined` refuses the request with 403. An error with the `status` or `statusCode` 401 or 403 refuses it with
   * that status; any other error is logged, and the answer is 503. Exceptions: a request with a ticket of this gateway has
   * the rights of the ticket, and webhooks, health checks and routes with `access: none` need no rights. Default: the
   * gateway's access rules decide.
   */
  readonly grant?: ((request: Request) => GrantDecision) | undefined;
  /**
   * How long a subscription or a long poll may last at most, in ms. It then ends with `spillway.bye` and the reason
   * `duration`, at most a tenth earlier, and the client resumes. Default: `limits.maxDuration`, which also applies.
   */
  readonly maxDuration?: number | undefined;
  /**
   * The path below which the gateway is mounted, such as `/live`, if it is a part of the request's URL. Default: the root,
   * or in Express the path at which the handler is mounted.
   */
  readonly mount?: string | undefined;
}

/** A request as the client sent it. */
export interface OriginalRequest {
  /** The version of HTTP that the client speaks. */
  readonly version: "1.0" | "1.1" | "2";
  /** The query with its question mark; empty without a query. */
  readonly search: string;
  /** Names and values of all headers in turn, without pseudo-headers. */
  readonly headers: readonly string[];
  /** Whether it has a body. */
  readonly hasBody: boolean;
  /** The body as it arrives, to be read once. Fails if the body is malformed or incomplete. */
  readonly body: AsyncIterable<Uint8Array>;
  /** The protocol that the connection may change to after the response (RFC 9110 §7.8); absent if it cannot. */
  readonly upgrade?: "websocket" | undefined;
  /**
   * Calls `listener`, possibly twice, when the client has disconnected before it has the whole response, or has ended
   * its side of the connection: at once with `leave`, after a second with `wait`.
   */
  onGone(listener: () => void, halfClose: "leave" | "wait"): void;
  /** Sends an informational response (RFC 9110 §15.2) ahead of the response; absent where that is not possible. */
  inform?(status: number, headers: HttpHeaders): void;
}

/** A list is sent as one field for each value. */
export type HttpHeaders = Readonly<Record<string, string | string[]>>;

/** A complete response, a file, a stream that is written through a sink, or another protocol. */
export type HttpResponse = HttpBody | HttpFile | HttpStream | HttpUpgrade;

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

/** The response to a request whose `original` has an `upgrade`: the connection then carries what `peer` sends, and the reverse. */
export interface HttpUpgrade {
  readonly status: 101;
  readonly headers: HttpHeaders;
  readonly peer: Duplex;
  /** How long both sides may be silent, in ms. */
  readonly idle: number;
}

export interface HttpStream {
  readonly status: number;
  readonly headers: HttpHeaders;
  /**
   * Whether an HTTP/1 connection ends with the response. A server that stops would otherwise wait until the client, or the
   * server's timeout for idle connections, closes it. Default: the connection can carry further requests.
   */
  readonly endsConnection?: boolean | undefined;
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
