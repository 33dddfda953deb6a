import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
import type { Sink, SinkListener } from "../hub/sink.ts";
import type { Http1Request } from "../http1/request-head.ts";
import type { HttpBody, HttpHeaders, HttpStream, HttpUpgrade } from "../http/message.ts";
import { frame } from "./frame.ts";
import type { IdleWatch, Watched } from "./idle-watch.ts";
import type { RouteOptions } from "./options.ts";
import type { ResponseHead } from "./response-head.ts";
import { fieldsOf, trailersOf } from "./raw-fields.ts";
import { failureOf, TargetFailure } from "./target-failure.ts";
import { endWithin } from "./unread-rest.ts";

/**
 * How an attempt ended: with the whole answer, with the target's failure, or by no fault of the target, because the
 * client has gone or its request is invalid.
 */
export type ExchangeEnd = "complete" | TargetFailure["code"] | "aborted";

/** One attempt to have a request answered by a target. */
export interface ExchangeOptions {
  readonly request: Http1Request;
  /** The body of the request, if it has one that arrives bit by bit. */
  readonly upload: Upload | undefined;
  readonly halfClose: RouteOptions["halfClose"];
  /** Watches over the time that the head may take, from the request or the last part of its body. */
  readonly heads: IdleWatch;
  /** Watches over the body. */
  readonly idle: IdleWatch;
}

/** Whoever has begun an exchange. */
export interface ExchangeListener {
  /** Makes the head for the client. */
  toHead(status: number, fields: readonly string[]): ResponseHead;
  /** There is an informational response. */
  onInform(status: number, headers: HttpHeaders): void;
  /** Makes what stands between the exchange and the client's sink; `undefined` where the body passes as it is. */
  filter(head: ResponseHead, ends: FilterEnds): BodyFilter | undefined;
  /** The exchange has ended. Called once, before its answer is rejected. */
  onEnd(end: ExchangeEnd): void;
}

/** A body on its way to the target. */
export interface Upload {
  /** Called with each of its chunks. */
  onProgress: (() => void) | undefined;
}

/** What a target answered. */
export type RelayedResponse = HttpBody | HttpStream | HttpUpgrade;

/**
 * Changes a body on its way: the sink of an exchange, and the listener of the client's sink. Whatever it holds back it
 * still writes after `end`.
 */
export type BodyFilter = Sink & SinkListener;

/** What a filter stands between. */
export interface FilterEnds {
  /** The client's. */
  readonly sink: Sink;
  readonly exchange: SinkListener;
}

/**
 * Sends one request to a target. What it refers to lives as long as the response, which may be days: options and
 * resolvers are dropped with the head.
 */
export class Exchange implements Dispatcher.DispatchHandler, SinkListener, Watched {
  heardAt = 0;
  /**
   * Resolves when the head of the answer has come; its body then follows by the answer's sink. Rejects with a
   * {@link TargetFailure} if there was none, and with an `AbortError` if the client has gone.
   */
  readonly answer: Promise<RelayedResponse>;
  readonly #listener: ExchangeListener;
  readonly #heads: IdleWatch;
  readonly #idle: IdleWatch;
  readonly #isHeadOnly: boolean;
  readonly #halfClose: RouteOptions["halfClose"];
  #resolve!: (answer: RelayedResponse) => void;
  #reject!: (reason: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #head: ResponseHead | undefined;
  #sink: Sink | undefined;
  /** What has come before there was a sink: of the body, and its end. */
  #early: Buffer | undefined;
  #earlyEnd: { readonly trailers: Readonly<Record<string, string>> | undefined } | undefined;
  #late = false;
  #ended = false;

  constructor({ request, upload, halfClose, heads, idle }: ExchangeOptions, listener: ExchangeListener) {
    this.#listener = listener;
    this.#heads = heads;
    this.#idle = idle;
    this.#halfClose = halfClose;
    this.#isHeadOnly = request.method === "HEAD";
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    heads.add(this);
    if (upload) upload.onProgress = () => this.#onProgress();
  }

  /** The client has gone. */
  abort(): void {
    if (this.#ended) return;
    this.#abort();
    if (this.#sink) this.#sink.destroy();
    else this.#reject(new DOMException("the client has gone", "AbortError"));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#ended) controller.abort(new Error("ended"));
  }

  /** The target has changed the protocol, as it was asked to. */
  onRequestUpgrade(controller: Dispatcher.DispatchController, _status: number, parsed: object, peer: Duplex): void {
    this.#heads.remove(this);
    const fields = fieldsOf(controller.rawHeaders ?? (parsed as Dispatcher.DispatchController["rawHeaders"]));
    const headers = { ...this.#listener.toHead(101, fields).headers, Connection: "Upgrade", Upgrade: "websocket" };
    peer.once("close", () => this.#end("complete")).on("error", ignore);
    if (this.#ended) peer.destroy();
    else this.#resolve({ status: 101, headers, peer, idle: this.#idle.limit });
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    const head = this.#listener.toHead(status, fieldsOf(controller.rawHeaders));
    if (status < 200) return this.#listener.onInform(status, head.headers);
    this.#heads.remove(this);
    this.#head = head;
    this.#idle.add(this);
    if (this.#isBodiless(status)) return;
    const { headers } = head;
    const answer = { status, headers, open: (sink: Sink) => this.#open(sink), abandon: () => this.#abort() };
    // Not before the rest of what was read together with the head: if that is malformed, there is no answer.
    queueMicrotask(() => this.#resolve(answer));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    // After a pause, undici may hand over a chunk of no bytes, which would be the last one of a chunked body.
    if (chunk.length === 0) return;
    this.#idle.touch(this);
    const sink = this.#sink;
    if (!sink) return this.#keep(chunk, controller);
    sink.write(frame(chunk));
    if (sink.full) controller.pause();
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    const { status, headers } = this.#head!;
    this.#end("complete");
    if (this.#isBodiless(status)) return this.#resolve({ status, headers });
    const trailers = trailersOf(controller);
    if (this.#sink) endWithin(this.#idle, this.#sink, trailers);
    else this.#earlyEnd = { trailers };
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#ended) return;
    const failure = failureOf(error, { isLate: this.#late, isSent: this.#controller !== undefined });
    this.#end(failure instanceof TargetFailure ? failure.code : "aborted");
    // What the client has is not the whole.
    if (this.#sink) this.#sink.destroy();
    else this.#reject(failure);
  }

  onDrain(): void {
    if (!this.#ended) this.#controller?.resume();
  }

  onHalfClose(): void {
    // Clients that wait for a response do not wait for an endless one.
    const waits = this.#halfClose === "wait" && this.#head?.isEventStream !== true;
    if (waits || this.#ended) return;
    this.#abort();
    this.#sink!.destroy();
  }

  onClose(): void {
    this.#abort();
  }

  /** There is no head in time, or neither side has sent anything for too long. */
  onIdle(): void {
    if (!this.#head) return this.#onLate();
    const sink = this.#sink;
    if (sink?.full) {
      // The target waits for the client, which does not read.
      this.#abort();
      return sink.destroy();
    }
    this.#idle.remove(this);
    this.#late = true;
    this.#controller?.abort(new Error("idle"));
  }

  #open(sink: Sink): SinkListener {
    const filter = this.#listener.filter(this.#head!, { sink, exchange: this });
    const own = filter ?? sink;
    this.#sink = own;
    if (this.#early) own.write(frame(this.#early));
    this.#early = undefined;
    if (this.#earlyEnd) endWithin(this.#idle, own, this.#earlyEnd.trailers);
    else if (this.#ended) own.destroy();
    else if (!own.full) this.#controller!.resume();
    return filter ?? this;
  }

  /** RFC 9112 §6.3. */
  #isBodiless(status: number): boolean {
    return this.#isHeadOnly || status === 204 || status === 304;
  }

  /**
   * A short response is read at once, ahead of its sink: that is cheaper than to pause its connection. A longer one
   * waits for the sink.
   */
  #keep(chunk: Buffer, controller: Dispatcher.DispatchController): void {
    if (this.#early) controller.pause();
    this.#early = this.#early ? Buffer.concat([this.#early, chunk]) : Buffer.from(chunk);
  }

  #abort(): void {
    if (this.#ended) return;
    this.#end("aborted");
    this.#controller?.abort(new Error("the client has gone"));
  }

  #end(end: ExchangeEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    (this.#head ? this.#idle : this.#heads).remove(this);
    this.#listener.onEnd(end);
  }

  #onProgress(): void {
    if (!this.#ended) (this.#head ? this.#idle : this.#heads).touch(this);
  }

  #onLate(): void {
    this.#heads.remove(this);
    this.#late = true;
    if (this.#controller) return this.#controller.abort(new Error("late"));
    // It waits for a connection: `onRequestStart` ends it then.
    this.#end("target-timeout");
    this.#reject(new TargetFailure("target-timeout", "refused"));
  }
}

/** A connection that breaks closes, and its client's with it. */
function ignore(): void {}
