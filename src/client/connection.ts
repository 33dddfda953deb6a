import { backoffDelay } from "../util/backoff.ts";
import { ClientError, judge } from "./error.ts";
import type { SubscribeOptions } from "./options.ts";
import { TextParser } from "./parser.ts";
import { buildRequest, isRefreshable, type StreamUrl } from "./request.ts";
import type { ConnectionState } from "./state.ts";

/** What a connection received. */
export interface Message {
  readonly type: string;
  readonly raw: string;
  /** The position after it. */
  readonly id: string;
  /** Not an event of the stream: one of the server itself, such as `spillway.gap`, or only an id. */
  readonly control: boolean;
}

/** Where a connection delivers to. */
export interface Receiver {
  receive(message: Message): void;
  /** Resolves when there is room for more messages. */
  room(): Promise<void>;
  change(state: ConnectionState): void;
}

/** How long a connection must last for the next failure to count as the first one, in ms. */
const stableAfter = 5000;
/** Longer delays are shortened to a day, because timers hold no more than 24 days. */
const longestDelay = 86_400_000;

/** Keeps one stream connected until it is closed or fails. */
export class Connection {
  /** The last received id; `""` if there was none. */
  #position: string;
  readonly #source: StreamUrl;
  readonly #options: SubscribeOptions;
  readonly #receiver: Receiver;
  #closed = false;
  #current = new AbortController();
  /** Ends the delay before the next attempt. */
  #resume = (): void => {};
  #failures = 0;
  #refresh = false;
  /** The reconnect delay that the stream asks for, in ms. */
  #retry = 0;
  /** Whether a Spillway has answered. */
  #known = false;
  /** The reason in `spillway.bye`. */
  #bye: string | undefined;

  constructor(source: StreamUrl, options: SubscribeOptions, receiver: Receiver, position: string) {
    this.#source = source;
    this.#options = options;
    this.#receiver = receiver;
    this.#position = position;
  }

  /** Resolves after `close` or a 204; rejects with the error that ends the subscription. */
  async run(): Promise<void> {
    while (!this.#closed) {
      this.#receiver.change({ status: "connecting", attempt: this.#failures + 1 });
      const error = await this.#attempt();
      if (this.#closed) return;
      const next = this.#next(error);
      if (next === "end") return;
      if (next === "fail") throw error;
      await this.#wait(error);
    }
  }

  close(): void {
    this.#closed = true;
    this.#current.abort();
    this.#resume();
  }

  async #attempt(): Promise<ClientError> {
    const controller = (this.#current = new AbortController());
    const { connectTimeout = 10_000, fetch = globalThis.fetch } = this.#options;
    const timer = setTimeout(() => controller.abort(new ClientError("connect-timeout")), connectTimeout);
    let openedAt = Infinity;
    try {
      const [url, init] = await buildRequest(this.#source, this.#options, this.#position, this.#refresh);
      const response = await fetch(url.href, { ...init, signal: controller.signal });
      clearTimeout(timer);
      if (response.status === 204) this.#closed = true;
      const error = await judge(response, this.#bounds().max, this.#known);
      if (error) return error;
      openedAt = Date.now();
      await this.#read(response);
      return new ClientError("stream-ended", { reason: this.#bye, fatal: this.#bye === "replaced" });
    } catch (cause) {
      if (cause instanceof ClientError) return cause;
      return new ClientError(openedAt < Infinity ? "connection-lost" : "connect-failed", { cause });
    } finally {
      clearTimeout(timer);
      controller.abort();
      if (Date.now() - openedAt > stableAfter) this.#failures = 0;
    }
  }

  async #read({ headers, body }: Response): Promise<void> {
    const spillway = headers.has("spillway-resume");
    this.#known ||= spillway;
    this.#refresh = false;
    this.#bye = undefined;
    let first = true;
    const parser = new TextParser(this.#position, this.#options.maxEventLength ?? 1 << 24, {
      onBlock: (type, data, id) => {
        const own = spillway && ((first && type === "connected") || type.startsWith("spillway."));
        first = false;
        if (own && type === "spillway.bye") this.#bye = (JSON.parse(data!) as { reason: string }).reason;
        this.#receiver.receive({ type, raw: data ?? "", id, control: own || data === undefined });
      },
      onRetry: (ms) => (this.#retry = ms),
    });
    this.#receiver.change({ status: "open", caughtUp: !spillway, upstream: undefined });
    const reader = body!.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      parser.push(read.value);
      this.#position = parser.lastEventId;
      await this.#receiver.room();
    }
  }

  /** What follows an attempt. A request that is not idempotent is only repeated if it was refused, or can be resumed. */
  #next({ fatal, status, code, reason }: ClientError): "retry" | "end" | "fail" {
    if (status === 401 && !this.#refresh && isRefreshable(this.#source, this.#options)) return "retry";
    if (fatal) return "fail";
    const { method = "GET" } = this.#options;
    if (/^(get|head)$/i.test(method) || status === 429 || status === 503 || code === "request-failed") return "retry";
    if (code === "stream-ended" && reason === undefined) return "end";
    return this.#position ? "retry" : "fail";
  }

  #bounds(): { min: number; max: number } {
    return { min: 1000, max: 30_000, ...this.#options.backoff };
  }

  async #wait(error: ClientError): Promise<void> {
    const refused = error.status === 401;
    this.#refresh = refused || error.reason === "token-expired";
    const floor = Math.min(longestDelay, Math.max(this.#retry, error.retryAfter ?? 0));
    const delay = refused ? 0 : backoffDelay(++this.#failures, this.#bounds(), floor, Math.random());
    this.#receiver.change({ status: "waiting", error, delay });
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delay);
      this.#resume = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
