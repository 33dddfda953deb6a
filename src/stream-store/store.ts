import type { ClientError, ClientEvent, ConnectionState } from "../client/index.ts";
import type { Subject } from "./connection.ts";
import type { Pool } from "./pool.ts";

/** The data of a stream, and its connection. A change makes a new object. */
export interface StreamSnapshot<Data> {
  readonly data: Data;
  readonly state: ConnectionState;
  /** Whether `data` may be behind: disconnected, catching up, loading, or the gateway's source is lost. */
  readonly stale: boolean;
  /** Why the connection has failed; `undefined` while it is open. `error.fatal`: it is not retried. */
  readonly error: ClientError | undefined;
}

/** The functions of a store. They can be replaced; the latest are called. */
export interface StoreOptions<Data> {
  reduce(data: Data, event: ClientEvent): Data;
  load?: (() => Promise<Data>) | undefined;
  onState?: ((state: ConnectionState) => void) | undefined;
  throttle?: number | undefined;
}

/** The data of a stream. Every event is reduced; the snapshot changes once per frame. */
export interface StreamStore<Data> {
  /** Returns the same object until something has changed. */
  readonly getSnapshot: () => StreamSnapshot<Data>;
  /**
   * Connects, and calls a function after each change of the snapshot. Returns the function that ends this. The connection
   * is closed after the last one; a later one resumes after the last event that was reduced.
   */
  readonly subscribe: (changed: () => void) => () => void;
}

/** A store with one subscriber at a time. */
export interface OwnStore<Data> extends StreamStore<Data> {
  options: StoreOptions<Data>;
  /** Identifies what it reads. */
  readonly key: string;
}

/** @param subject `undefined` connects to nothing */
export function createStore<Data>(
  pool: Pool,
  key: string,
  subject: Subject | undefined,
  initial: Data,
  options: StoreOptions<Data>,
): OwnStore<Data> {
  let data = initial;
  let state: ConnectionState = subject ? { status: "connecting", attempt: 1 } : { status: "closed", error: undefined };
  let loaded = !options.load;
  /** The current call of `load`. */
  let loading: Promise<void> | undefined;
  /** Another one makes what an earlier call loads obsolete: after a gap, and when the component is unmounted or hidden. */
  let generation = 0;
  let published = snapshot();
  let notify: (() => void) | undefined;
  /** Whether there is something to publish. */
  let due = false;

  const join = subject && pool.member(subject, { onEvent, onState });
  const store: OwnStore<Data> = { options, key, getSnapshot: () => published, subscribe };
  return store;

  function subscribe(changed: () => void): () => void {
    notify = changed;
    const leave = join?.();
    return () => {
      notify = loading = undefined;
      generation++;
      leave?.();
      publish();
    };
  }

  function onEvent(event: ClientEvent): void | Promise<void> {
    const { load } = store.options;
    if (load && /^spillway\.(gap|reset)$/.test(event.type)) return (loading = loadWith(load));
    const waiting = loadOnce();
    const own = generation;
    return waiting?.then(() => (own === generation ? reduce(event) : undefined)) ?? reduce(event);
  }

  /** The stream is open before the data is loaded, so that no event is between them. */
  function onState(next: ConnectionState): Promise<void> | undefined {
    state = next;
    schedule();
    store.options.onState?.(next);
    return next.status === "open" ? loadOnce() : undefined;
  }

  function reduce(event: ClientEvent): void {
    data = store.options.reduce(data, event);
    schedule();
  }

  function loadOnce(): Promise<void> | undefined {
    const { load } = store.options;
    if (load && !loaded) loading ??= loadWith(load);
    return loading;
  }

  async function loadWith(load: () => Promise<Data>): Promise<void> {
    const own = ++generation;
    loaded = false;
    schedule();
    const value = await load();
    if (own !== generation) return;
    data = value;
    loading = undefined;
    loaded = true;
    schedule();
  }

  function snapshot(): StreamSnapshot<Data> {
    const { error } = state as { readonly error?: ClientError };
    return { data, state, stale: !loaded || !isCurrent(state), error };
  }

  function schedule(): void {
    if (due) return;
    due = true;
    const { throttle } = store.options;
    if (throttle !== undefined) setTimeout(publish, throttle);
    else (globalThis.requestAnimationFrame ?? setTimeout)(publish);
  }

  function publish(): void {
    if (!due) return;
    due = false;
    published = snapshot();
    notify?.();
  }
}

/** Whether a client of this state has all events that its gateway can know of. */
export function isCurrent(state: ConnectionState): boolean {
  return state.status === "open" && state.caughtUp && state.upstream !== "waiting";
}
