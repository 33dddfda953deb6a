import type { StreamDefinition } from "../events/definition.ts";
import { toClientError, type ClientError } from "./error.ts";
import type { ClientEvent, EventMap, EventOf, Gap, GapEvents } from "./events.ts";
import type { Connection } from "./connection.ts";
import type { Control, Message } from "./message.ts";
import type { SubscribeOptions } from "./options.ts";
import { createQueue } from "./queue.ts";
import type { StreamUrl } from "./request.ts";
import type { ConnectionState } from "./state.ts";

/**
 * A subscription. Read it either by iteration or by handlers. The next event is delivered when the current one was
 * handled: when the loop asks for the next, or when what the handlers returned has settled.
 */
export interface Subscription<Events = EventMap> extends AsyncIterable<EventOf<Events & GapEvents>> {
  readonly state: ConnectionState;
  /** Whether all events have been handled that the log held when the connection was opened. */
  readonly caughtUp: boolean;
  /** The id after the last handled event, which `options.cursor` stores; `""` if there is none. */
  readonly cursor: string;
  /**
   * Calls a handler for each event of a type, or of all types (`*`). If it throws or rejects, the subscription fails, and
   * the event counts as not handled. Returns the function that removes the handler.
   */
  on(type: "*", handler: (event: EventOf<Events & GapEvents>) => unknown): () => void;
  on<Type extends keyof (Events & GapEvents) & string>(
    type: Type,
    handler: (event: ClientEvent<Type, (Events & GapEvents)[Type]>) => unknown,
  ): () => void;
  /** Calls a handler for each change of `state`. Returns the function that removes it. */
  onState(handler: (state: ConnectionState) => void): () => void;
  /** Closes the connection and stores the position. Events that were not handled are dropped. Idempotent. */
  close(): void;
}

/** The class of the connection that fills a queue. */
export type ConnectionClass = new (
  ...parameters: ConstructorParameters<typeof Connection>
) => Pick<Connection, "run" | "close">;

type Handler = (event: ClientEvent) => unknown;

/** How many characters are read ahead of the reader. */
const readAhead = 1 << 20;
/** The shortest time between two calls of `save`, in ms. */
const saveInterval = 250;

export class StreamSubscription implements Subscription {
  state: ConnectionState = { status: "connecting", attempt: 1 };
  cursor = "";
  readonly #options: SubscribeOptions;
  readonly #queue = createQueue<Message>(readAhead);
  readonly #handlers = new Set<readonly [type: string, handler: Handler]>();
  readonly #listeners = new Set<(state: ConnectionState) => void>();
  #connection: Pick<Connection, "run" | "close"> | undefined;
  readonly #class: ConnectionClass;
  #reading = false;
  #error: ClientError | undefined;
  #ended = false;
  #saving: ReturnType<typeof setTimeout> | undefined;

  readonly #decode: StreamDefinition["decode"] | undefined;

  constructor(
    source: StreamDefinition | StreamUrl,
    options: SubscribeOptions & { readonly url?: StreamUrl | undefined },
    connectionClass: ConnectionClass,
  ) {
    const { decode, name } = source as Partial<StreamDefinition>;
    this.#options = options;
    this.#class = connectionClass;
    this.#decode = decode;
    const { signal } = options;
    signal?.addEventListener("abort", this.close);
    if (signal?.aborted) this.close();
    void this.#run(decode ? (options.url ?? `/streams/${name}`) : (source as StreamUrl));
  }

  get caughtUp(): boolean {
    return this.state.status === "open" && this.state.caughtUp;
  }

  on(type: string, handler: Handler): () => void {
    const entry = [type, handler] as const;
    this.#handlers.add(entry);
    if (!this.#reading) this.#dispatch().catch(this.#fail);
    return () => this.#handlers.delete(entry);
  }

  onState(handler: (state: ConnectionState) => void): () => void {
    this.#listeners.add(handler);
    return () => this.#listeners.delete(handler);
  }

  [Symbol.asyncIterator](): AsyncIterator<EventOf<EventMap & GapEvents>> {
    const events = this.#read();
    return {
      next: () => events.next(),
      return: async () => {
        this.close();
        return { done: true, value: undefined };
      },
    };
  }

  readonly close = (): void => this.#end(undefined, true);

  async #run(source: StreamUrl): Promise<void> {
    try {
      this.cursor = (await this.#options.cursor?.load()) ?? "";
      if (this.#ended) return;
      this.#connection = new this.#class(source, this.#options, this.#queue, this.cursor, this.#change);
      await this.#connection.run();
      this.#end(undefined, false);
    } catch (error) {
      this.#end(toClientError(error, "request-failed", true), false);
    }
  }

  /** Calls the handlers, one event after the other. */
  async #dispatch(): Promise<void> {
    for await (const event of this.#read()) {
      const { type } = event;
      await Promise.all([...this.#handlers].map(([of, handler]) => (of === "*" || of === type) && handler(event)));
    }
  }

  #read(): AsyncGenerator<ClientEvent> {
    if (this.#reading) throw new TypeError("subscription already read");
    this.#reading = true;
    return this.#events();
  }

  async *#events(): AsyncGenerator<ClientEvent> {
    try {
      for (let message; (message = await this.#queue.take());) {
        const { control } = message;
        const event = await (control ? this.#control(message, control) : this.#eventOf(message));
        if (event) yield event;
        this.#handled(message);
      }
    } catch (cause) {
      this.#fail(cause);
    }
    if (this.#error) throw this.#error;
  }

  async #eventOf({ type, raw, id }: Message): Promise<ClientEvent> {
    const decoded = await this.#decode?.({ event: type, data: raw });
    const { event, data } = decoded ?? { event: type, data: (this.#options.parse ?? parseJson)(raw, type) };
    return { type: event, data, raw, id };
  }

  /** Acts on an event of the server itself. Returns the event for the application, if there is one. */
  async #control({ type, raw, id }: Message, control: Control): Promise<ClientEvent | undefined> {
    if (type === "connected") this.#update({ upstream: control.upstream, client: control.client });
    if (type === "spillway.upstream") this.#update({ upstream: control.state });
    if (type !== "spillway.gap" && type !== "spillway.reset") return undefined;
    const gap: Gap = { reason: control.reason ?? "reset", lost: control.lost ?? null };
    if (!this.#options.onGap) return { type, data: gap, raw, id };
    await this.#options.onGap(gap);
    return undefined;
  }

  #handled({ id, caughtUp }: Message): void {
    this.cursor = id;
    if (caughtUp) this.#update({ caughtUp });
    if (this.#options.cursor) this.#saving ??= setTimeout(this.#save, saveInterval);
  }

  readonly #save: () => unknown = async () => {
    const due = this.#saving;
    clearTimeout(due);
    this.#saving = undefined;
    try {
      if (due) await this.#options.cursor!.save(this.cursor);
    } catch (cause) {
      if (!this.#ended) this.#fail(cause);
    }
  };

  #update(part: Partial<Extract<ConnectionState, { status: "open" }>>): void {
    const { state } = this;
    if (state.status === "open" && !(part.caughtUp && state.caughtUp)) this.#change({ ...state, ...part });
  }

  readonly #change = (state: ConnectionState): void => {
    this.state = state;
    if (state.status === "paused") this.#save();
    for (const listener of this.#listeners) queueMicrotask(() => listener(state));
  };

  /** A function of the application has failed. */
  readonly #fail = (cause: unknown): void => this.#end(toClientError(cause, "handler-failed", true), true);

  #end(error: ClientError | undefined, drop: boolean): void {
    this.#queue.end(drop);
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#connection?.close();
    this.#options.signal?.removeEventListener("abort", this.close);
    this.#save();
    this.#change({ status: "closed", error });
    // Handlers cannot learn of it. A program must not wait for events that never come without knowing it.
    if (error && this.#handlers.size && !this.#listeners.size) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
