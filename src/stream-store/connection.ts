import { Connection } from "../client/connection.ts";
import { toClientError } from "../client/error.ts";
import type { ClientEvent, ConnectionState, StartPosition, SubscribeOptions } from "../client/index.ts";
import { StreamSubscription } from "../client/subscription.ts";
import type { StreamDefinition } from "../events/index.ts";

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

/** What is read. */
export interface Subject {
  readonly url: string;
  readonly filter?: StreamFilter | undefined;
  /** Reads events by the stream's definition. */
  readonly decode?: StreamDefinition["decode"] | undefined;
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
  options: SubscribeOptions,
  from: string,
  changed: () => void,
): SharedConnection {
  // The request takes its members from own properties.
  const { method, body, credentials } = options;
  const resumed = { load: () => from, save() {} };
  const own: SubscribeOptions = { ...subject.filter, cursor: resumed, method, body, credentials };
  const subscription = new StreamSubscription(
    subject.url,
    Object.assign(Object.create(options) as SubscribeOptions, own),
    Connection,
    subject.decode,
  );
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
    serves({ key, decode, start }, cursor) {
      if (key !== subject.key || decode !== subject.decode) return false;
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
