import { toClientError } from "../client/error.ts";
import { subscribe, type ClientEvent, type ConnectionState, type SubscribeOptions } from "../client/index.ts";

/** A hook that reads a connection. If one of its functions fails, it leaves the connection with `handler-failed`. */
export interface Listener {
  /** If it returns a promise, the next event waits for it. */
  onEvent(event: ClientEvent): unknown;
  onState(state: ConnectionState): unknown;
}

/** Where a listener is in a stream. */
export interface Position {
  /** The id after the last event that it handled; `""` if there is none. */
  readonly cursor: string;
  /** Where it starts without a cursor, as JSON; `undefined` for the next event. */
  readonly start: string | undefined;
}

/** A connection that several listeners use. */
export interface SharedConnection {
  state(): ConnectionState;
  /** Whether a listener there would get all events from its position on. */
  serves(position: Position): boolean;
  join(listener: Listener): void;
  /**
   * Returns the id to resume with.
   * @param linger how long the connection stays open for others, in ms
   */
  leave(listener: Listener, linger: number): string;
}

/**
 * @param options the connection inherits from this object, so that each attempt has the latest options
 * @param changed called after each change of the state
 */
export function connect(
  url: string,
  options: SubscribeOptions,
  filter: SubscribeOptions | undefined,
  { cursor: from, start: begin }: Position,
  changed: () => void,
): SharedConnection {
  const own: SubscribeOptions = { ...filter, cursor: { load: () => from, save() {} } };
  const subscription = subscribe(url, Object.assign(Object.create(options) as SubscribeOptions, own));
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
    state: () => subscription.state,
    serves: ({ cursor, start }) =>
      cursor
        ? !current && subscription.cursor === cursor
        : start === undefined || (start === begin && !delivered && !from),
    join(listener) {
      clearTimeout(timer);
      listeners.set(listener, undefined);
      void call(listener);
    },
    leave,
  };
}
