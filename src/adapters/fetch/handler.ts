import { Readable } from "node:stream";
import { SpillwayError } from "../../errors.ts";
import type { Framed, Sink, SinkListener } from "../../hub/sink.ts";
import type { HandlerOptions, HttpHeaders, HttpRequest, HttpStream, OriginalRequest } from "../../http/message.ts";
import { problem } from "../../http/problem.ts";
import type { HttpHandler } from "../../http/handler.ts";
import { withoutMount } from "../mount.ts";
import { incompleteBody, readArriving, readConsumed, toForwarded, type ConsumedBody } from "../request-body.ts";

/** A handler with the Fetch signature, for Next.js route handlers, Hono, Bun and Deno. */
export type FetchHandler = (request: Request) => Promise<Response>;

/** Options of a handler with the Fetch signature. */
export interface FetchOptions extends HandlerOptions<Request> {
  /** The address of the client's connection. Default: unknown, and the limits per address do not apply. */
  readonly address?: string | undefined;
  /**
   * The body, if the program has already read it from the request: the bytes or the text as received, or the value of
   * JSON. The signature of a webhook can only be checked with the bytes or the text. Default: it is read.
   */
  readonly body?: unknown;
  /** Answers the requests for paths that are not the gateway's. Default: 404. */
  readonly notFound?: (() => Response | Promise<Response>) | undefined;
}

/** Serves a gateway through Fetch's `Request` and `Response`. */
export function toFetchHandler(handler: HttpHandler, options: FetchOptions = {}): FetchHandler {
  return async (request) => {
    const found = await handler(toHttpRequest(request, options));
    if (!found && options.notFound) return options.notFound();
    const answer = found ?? problem(new SpillwayError("not-found"));
    const headers = fieldsOf(answer.headers);
    if ("open" in answer) return new Response(toReadable(answer, request.signal), { status: answer.status, headers });
    if ("file" in answer) {
      const body = Readable.toWeb(answer.file) as ReadableStream<Uint8Array>;
      return new Response(body, { status: answer.status, headers });
    }
    // No request here has an `upgrade`.
    if ("peer" in answer) throw new TypeError("a Fetch response cannot change the protocol");
    const body = request.method === "HEAD" || answer.status === 204 ? null : (answer.body ?? null);
    return new Response(body, { status: answer.status, headers });
  };
}

function toHttpRequest(request: Request, options: FetchOptions): HttpRequest {
  const { mount = "", address, grant, maxDuration } = options;
  const { pathname, search, searchParams, host } = new URL(request.url);
  return {
    method: request.method,
    mount,
    secure: request.url.startsWith("https:"),
    path: withoutMount(pathname, mount),
    isShared: options.notFound !== undefined,
    query: searchParams,
    address,
    grant: grant && (() => grant(request)),
    maxDuration,
    header: (name) => request.headers.get(name) ?? (name === "host" ? host : undefined),
    async body(limit, take, form) {
      const consumed = consumedBody(request, options);
      return consumed ? readConsumed(consumed, limit, take, form) : readArriving(readChunks(request), limit, take);
    },
    signal: request.signal,
    get original(): OriginalRequest {
      return {
        version: "1.1",
        search,
        headers: [...request.headers].flat(),
        hasBody: request.body !== null || options.body !== undefined,
        body: forwardedBody(request, options),
        onGone(listener) {
          if (request.signal.aborted) listener();
          else request.signal.addEventListener("abort", listener);
        },
      };
    },
  };
}

/** The body if the program has read it; `undefined` if it is still to be read. */
function consumedBody(request: Request, { body: parsed }: FetchOptions): ConsumedBody | undefined {
  if (parsed === undefined && !request.bodyUsed) return undefined;
  const field = (name: string): string | undefined => request.headers.get(name) ?? undefined;
  return { parsed, contentType: field("content-type"), length: field("content-length") };
}

function forwardedBody(request: Request, options: FetchOptions): AsyncIterable<Uint8Array> {
  const consumed = consumedBody(request, options);
  return consumed ? toForwarded(consumed) : readChunks(request);
}

/**
 * The body of a request as it arrives.
 * @throws {SpillwayError} `request-invalid` if it is incomplete.
 */
async function* readChunks({ body }: Request): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (body) yield* body;
  } catch (cause) {
    throw incompleteBody(cause);
  }
}

/** Each value as a field of its own. */
function fieldsOf(headers: HttpHeaders): [name: string, value: string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    typeof value === "string" ? [[name, value]] : value.map((item): [string, string] => [name, item]),
  );
}

/** Bytes the stream buffers before it counts as full. */
const highWaterMark = 16 * 1024;

function toReadable(answer: HttpStream, signal: AbortSignal): ReadableStream<Uint8Array> {
  let sink: StreamSink;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        sink = new StreamSink(controller, signal);
        sink.listener = answer.open(sink);
        if (signal.aborted) sink.leave();
      },
      pull: () => sink.listener?.onDrain(),
      cancel: () => sink.cancel(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark }),
  );
}

class StreamSink implements Sink {
  listener: SinkListener | undefined;
  readonly #controller: ReadableStreamDefaultController<Uint8Array>;
  readonly #signal: AbortSignal;
  #accepted = 0;
  #closed = false;
  /** Nobody reads the remaining bytes. */
  #gone = false;

  constructor(controller: ReadableStreamDefaultController<Uint8Array>, signal: AbortSignal) {
    this.#controller = controller;
    this.#signal = signal;
    signal.addEventListener("abort", this.#onAbort);
  }

  get pending(): number {
    // A cancelled stream has a desired size of 0, as a full one has.
    return this.#gone ? 0 : highWaterMark - (this.#controller.desiredSize ?? highWaterMark);
  }

  get sent(): number {
    return this.#accepted - this.pending;
  }

  get full(): boolean {
    return this.pending >= highWaterMark;
  }

  write(page: Framed): void {
    if (this.#closed) return;
    this.#accepted += page.payload.length;
    // A copy: the reader may transfer the buffer, which all subscribers share.
    this.#controller.enqueue(new Uint8Array(page.payload));
  }

  end(): void {
    if (!this.#closed) this.#controller.close();
    this.close();
  }

  destroy(): void {
    // Also after the end, to release the bytes that nobody reads.
    if (!this.#gone) this.#controller.error(new DOMException("the stream was cut", "AbortError"));
    this.#gone = true;
    this.close();
  }

  /** The client has disconnected. An error would only tell the server what it knows, and many servers log it. */
  leave(): void {
    this.#gone = true;
    this.end();
  }

  /** The reader has cancelled the stream. */
  cancel(): void {
    this.#gone = true;
    this.close();
  }

  /** The reader is gone, or the stream has ended. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.listener?.onClose();
  }

  readonly #onAbort = (): void => this.leave();
}
