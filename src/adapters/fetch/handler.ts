import { Readable } from "node:stream";
import { SpillwayError } from "../../errors.ts";
import type { Framed, Sink, SinkListener } from "../../hub/sink.ts";
import type { HttpHeaders, HttpRequest, HttpStream, OriginalRequest } from "../../http/message.ts";
import { problem } from "../../http/problem.ts";
import type { HttpHandler } from "../../http/handler.ts";

/** A handler with the Fetch signature, for Next.js route handlers, Hono, Bun and Deno. */
export type FetchHandler = (request: Request) => Promise<Response>;

/** Serves a gateway through Fetch's `Request` and `Response`. `mount` is the gateway's base path, such as `/live`. */
export function toFetchHandler(handler: HttpHandler, mount = ""): FetchHandler {
  return async (request) => {
    const answer = (await handler(toHttpRequest(request, mount))) ?? problem(new SpillwayError("not-found"));
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

function toHttpRequest(request: Request, mount: string): HttpRequest {
  const { pathname, search, searchParams, host } = new URL(request.url);
  return {
    method: request.method,
    mount,
    secure: request.url.startsWith("https:"),
    path: pathname.startsWith(mount) ? pathname.slice(mount.length) : pathname,
    query: searchParams,
    header: (name) => request.headers.get(name) ?? (name === "host" ? host : undefined),
    body: (limit, take) => readBody(request, limit, take),
    signal: request.signal,
    get original(): OriginalRequest {
      return {
        version: "1.1",
        search,
        headers: [...request.headers].flat(),
        hasBody: request.body !== null,
        body: request.body ?? noChunks,
        onGone(listener) {
          if (request.signal.aborted) listener();
          else request.signal.addEventListener("abort", listener);
        },
      };
    },
  };
}

const noChunks: AsyncIterable<Uint8Array> = { async *[Symbol.asyncIterator]() {} };

/** Each value as a field of its own. */
function fieldsOf(headers: HttpHeaders): [name: string, value: string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    typeof value === "string" ? [[name, value]] : value.map((item): [string, string] => [name, item]),
  );
}

async function readBody(request: Request, limit: number, take: (bytes: number) => void): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.byteLength;
    if (length > limit) throw new SpillwayError("body-too-large", undefined, { expected: `at most ${limit} bytes` });
    take(chunk.byteLength);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
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
        if (signal.aborted) sink.destroy();
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

  readonly #onAbort = (): void => this.destroy();
}
