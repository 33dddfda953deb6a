import { toClientError } from "../client/error.ts";
import type {
  ClientEvent,
  ConnectionState,
  StartPosition,
  subscribeShared,
  SubscribeOptions,
  Subscription,
} from "../client/index.ts";
import { subscribe, type TypedSubscribeOptions } from "../client/subscribe.ts";
import type { StreamDefinition } from "../events/index.ts";
import type { StreamSource } from "./source.ts";

/** Which events of a stream are read. */
export interface StreamFilter {
  /** Only events in these channels; `*` matches any characters. */
  readonly channels?: readonly string[] | undefined;
  /** Only events of these types. */
  readonly events?: readonly string[] | undefined;
  /** Only events that match this expression. */
  readonly filter?: string | undefined;
  /** Where to start. Default: with the next event. */
  readonly start?: StartPosition | undefined;
}

/** Options of the connections of a page. */
export interface StreamClientOptions extends Omit<
  SubscribeOptions,
  keyof StreamFilter | "method" | "body" | "cursor" | "onGap" | "signal"
> {
  /** The URL that the gateway is mounted at. Default: the root of the page's origin. */
  readonly url?: string | undefined;
  /**
   * Opens the connections. With `subscribeShared`, there is one for all tabs, and a `start` applies to the first tab only. Default:
   * `subscribe`.
   */
  readonly subscribe?: typeof subscribe | typeof subscribeShared | undefined;
  /** Who the user is, for `subscribeShared`. Required with `token` or `headers`. */
  readonly identity?: string | undefined;
  /** How long a connection stays open after the last store or component that used it, in ms. Default: 1000. */
  readonly linger?: number | undefined;
}

/** What is read. */
export interface Subject {
  readonly url: string;
  readonly filter?: StreamFilter | undefined;
  /** The definition that reads the events, if there is one. */
  readonly definition?: StreamDefinition | undefined;
  /** The filter's `start`, as JSON. */
  readonly start?: string | undefined;
  /** Equal for subjects that read the same events, wherever they start. */
  readonly key: string;
}

/** A reader of a connection. If one of its functions fails, it leaves the connection with `handler-failed`. */
export interface Listener {
  /** If it returns a promise, the next event waits for it. */
  onEvent(event: ClientEvent): unknown;
  onState(state: ConnectionState): unknown;
}

/** A connection that several listeners use. */
export interface SharedConnection {
  state(): ConnectionState;
  /** What it was opened for. */
  readonly subject: Subject;
  /**
   * Whether a listener to a subject would get all events after its position.
   * @param cursor the id after the last event that it handled; `""` if there is none
   */
  serves(subject: Subject, cursor: string): boolean;
  join(listener: Listener): void;
  /**
   * Returns the id to resume with.
   * @param linger how long the connection stays open for others, in ms
   */
  leave(listener: Listener, linger: number): string;
}

/**
 * @param options the connection inherits from this object, so that each attempt has the latest options
 * @param from the id to resume with, or `""`
 * @param changed called after each change of the state
 */
export function connect(
  subject: Subject,
  options: StreamClientOptions,
  from: string,
  changed: () => void,
): SharedConnection {
  // The request takes its members from own properties.
  const { credentials } = options;
  const { url } = subject;
  const resumed = { load: () => from, save() {} };
  const own = { __proto__: options, ...subject.filter, url, credentials, cursor: resumed } as TypedSubscribeOptions;
  const open = (options.subscribe ?? subscribe) as (source: StreamSource, own: TypedSubscribeOptions) => Subscription;
  const subscription = open(subject.definition ?? url, own);
  /** Listeners, and the last event that each has handled. */
  const listeners = new Map<Listener, ClientEvent | undefined>();
  /** The event that is being handled. */
  let current: ClientEvent | undefined;
  let delivered = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  subscription.on("*", async (event) => {
    current = event;
    delivered = true;
    await Promise.all([...listeners.keys()].map((listener) => call(listener, event)));
    current = undefined;
  });
  subscription.onState(() => {
    for (const listener of listeners.keys()) void call(listener);
    changed();
  });

  /** Passes on an event, or the state. An error of one listener does not affect others. */
  async function call(listener: Listener, event?: ClientEvent): Promise<void> {
    try {
      await (event ? listener.onEvent(event) : listener.onState(subscription.state));
      if (event && listeners.has(listener)) listeners.set(listener, event);
    } catch (cause) {
      if (!listeners.has(listener)) return;
      leave(listener, 0);
      listener.onState({ status: "closed", error: toClientError(cause, "handler-failed", true) });
    }
  }

  function leave(listener: Listener, linger: number): string {
    const handled = listeners.get(listener);
    if (listeners.delete(listener) && listeners.size === 0) timer = setTimeout(subscription.close, linger);
    return handled && handled === current ? handled.id : subscription.cursor;
  }

  return {
    subject,
    state: () => subscription.state,
    serves({ key, definition, start }, cursor) {
      if (key !== subject.key || definition !== subject.definition) return false;
      if (cursor) return !current && subscription.cursor === cursor;
      return start === undefined || (start === subject.start && !delivered && !from);
    },
    join(listener) {
      clearTimeout(timer);
      listeners.set(listener, undefined);
      void call(listener);
    },
    leave,
  };
}
