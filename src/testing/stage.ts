import type { Log, LogStore, Retention } from "../log/log.ts";

/** Where a store keeps its logs. */
export interface LogStorePlace {
  /**
   * Opens the store. Unless it is shared, it is only opened again after it was closed. `now` is its clock, in ms since
   * 1970; `node` is the name by which other nodes know it.
   */
  open(now: () => number, node: string): Promise<LogStore>;
  /**
   * Drops every answer of the engine to the open stores until the returned function is called: requests are executed,
   * but the store gets no answer. Only called if the harness sets `losesAnswers`.
   */
  loseAnswers?(): () => void;
  /** Removes the place. Called when every store is closed. */
  remove(): Promise<void>;
}

/** A store with a clock that only the test advances, for one test. */
export interface Stage {
  /** The open store. */
  readonly store: LogStore;
  /** Opens a stream of the store. Default: the stream `s`, without retention limits. */
  open(stream?: string, retention?: Partial<Retention>): Promise<Log>;
  /** Closes the store and opens it again at the same place. */
  reopen(): Promise<void>;
  /** Opens the store also as another node, at the same place; closed with the stage. The first one is the node `a`. */
  join(node: string): Promise<LogStore>;
  /** Calls {@link LogStorePlace.loseAnswers}. */
  loseAnswers(): () => void;
  /** The store's clock, in ms since 1970. */
  readonly time: number;
  /** Advances the clock by this many ms, or sets it back if negative. */
  pass(milliseconds: number): void;
  /** Closes the store and removes its place. */
  clear(): Promise<void>;
}

/** Opens a store at an empty place. */
export async function createStage(place: LogStorePlace): Promise<Stage> {
  let time = 1_700_000_000_000;
  const now = (): number => time;
  let store = await place.open(now, "a");
  const joined: LogStore[] = [];

  return {
    get store() {
      return store;
    },
    open: (stream = "s", retention = {}) =>
      store.open(stream, { retention: { age: undefined, events: undefined, bytes: undefined, ...retention } }),
    async reopen() {
      await store.close();
      store = await place.open(now, "a");
    },
    async join(node) {
      const other = await place.open(now, node);
      joined.push(other);
      return other;
    },
    loseAnswers() {
      if (!place.loseAnswers) throw new Error("this place cannot lose answers");
      return place.loseAnswers();
    },
    get time() {
      return time;
    },
    pass(milliseconds) {
      time += milliseconds;
    },
    async clear() {
      for (const each of [store, ...joined]) await each.close();
      await place.remove();
    },
  };
}
