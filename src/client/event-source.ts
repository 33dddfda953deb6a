import { Connection } from "./connection.ts";
import { toClientError, type ClientError } from "./error.ts";
import type { Message } from "./message.ts";
import type { SubscribeOptions } from "./options.ts";
import { createQueue } from "./queue.ts";
import type { ConnectionState } from "./state.ts";

/** Options of {@link EventSource}: those of the browser's, and those of `subscribe` that do not concern delivery. */
export interface EventSourceInit extends Omit<
  SubscribeOptions,
  "credentials" | "cursor" | "onGap" | "parse" | "signal"
> {
  /** Whether to send cookies to another origin. Default: false. */
  readonly withCredentials?: boolean | undefined;
}

/** What `error` listeners get. */
export interface EventSourceError extends Event {
  readonly error: ClientError | undefined;
}

/**
 * A replacement for the browser's `EventSource` (WHATWG HTML section 9.2) that reconnects after every failure that may pass, and whose
 * `error` events say what happened.
 */
export class EventSource extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSED = 2;
  readonly url: string;
  readonly withCredentials: boolean;
  readyState: 0 | 1 | 2 = 0;
  onopen: ((event: Event) => unknown) | null = null;
  onmessage: ((event: MessageEvent<string>) => unknown) | null = null;
  onerror: ((event: EventSourceError) => unknown) | null = null;
  readonly #queue = createQueue<Message>(1 << 20);
  readonly #connection: Connection;

  /** @throws {TypeError} if the URL is invalid */
  constructor(url: string | URL, { withCredentials = false, ...options }: EventSourceInit = {}) {
    super();
    this.url = new URL(url, globalThis.location?.href).href;
    this.withCredentials = withCredentials;
    const credentials = withCredentials ? "include" : "same-origin";
    const change = (state: ConnectionState): void => this.#change(state);
    this.#connection = new Connection(this.url, { ...options, credentials }, this.#queue, "", change);
    this.addEventListener("open", (event) => this.onopen?.(event));
    this.addEventListener("message", (event) => this.onmessage?.(event as MessageEvent<string>));
    this.addEventListener("error", (event) => this.onerror?.(event as EventSourceError));
    void this.#run();
  }

  /** Closes the connection. No event follows. */
  close(): void {
    this.readyState = 2;
    this.#queue.end(true);
    this.#connection.close();
  }

  async #run(): Promise<void> {
    const dispatched = this.#dispatch();
    let error: ClientError | undefined;
    try {
      await this.#connection.run();
    } catch (cause) {
      error = toClientError(cause, "connection-lost");
    }
    this.#queue.end(false);
    await dispatched;
    if (this.readyState === 2) return;
    this.close();
    this.#fail(error);
  }

  #change(state: ConnectionState): void {
    if (this.readyState === 2) return;
    this.readyState = state.status === "open" ? 1 : 0;
    if (state.status === "open") this.dispatchEvent(new Event("open"));
    if (state.status === "waiting") this.#fail(state.error);
  }

  #fail(error: ClientError | undefined): void {
    this.dispatchEvent(Object.assign(new Event("error"), { error }));
  }

  async #dispatch(): Promise<void> {
    const { origin } = new URL(this.url);
    for (let message = await this.#queue.take(); message; message = await this.#queue.take()) {
      const { type, raw: data, id: lastEventId, control } = message;
      // Control events are ordinary ones here, except a mere id.
      if (!control || data) this.dispatchEvent(new MessageEvent(type, { data, lastEventId, origin }));
    }
  }
}
