import type { ClientError, ClientEvent, ConnectionState } from "../client/index.ts";
import type { Subject } from "./connection.ts";
import type { Pool } from "./pool.ts";

/** What a stream's hook returns. */
export interface StreamSnapshot<Data> {
  readonly data: Data;
  readonly state: ConnectionState;
  /** Whether `data` may be behind: disconnected, catching up, loading, or the gateway's source is lost. */
  readonly stale: boolean;
  /** Why the connection has failed; `undefined` while it is open. `error.fatal`: it is not retried. */
  readonly error: ClientError | undefined;
}

/** The functions of a hook. Each render may make new ones; the latest are called. */
export interface StoreOptions<Data> {
  reduce(data: Data, event: ClientEvent): Data;
  load?: (() => Promise<Data>) | undefined;
  onState?: ((state: ConnectionState) => void) | undefined;
  throttle?: number | undefined;
}

/** The data of one hook. Every event is reduced; what is rendered changes once per frame. */
export interface StreamStore<Data> {
  options: StoreOptions<Data>;
  /** Identifies what it reads. */
  readonly key: string;
  readonly getSnapshot: () => StreamSnapshot<Data>;
  readonly subscribe: (notify: () => void) => () => void;
}

/** @param subject `undefined` connects to nothing */
export function createStore<Data>(
  pool: Pool,
  key: string,
  subject: Subject | undefined,
  initial: Data,
  options: StoreOptions<Data>,
): StreamStore<Data> {
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
  const store: StreamStore<Data> = { options, key, getSnapshot: () => published, subscribe };
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
