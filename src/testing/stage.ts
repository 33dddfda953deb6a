import type { Log, LogStore, Retention } from "../log/log.ts";

/** Where a store keeps its logs. */
export interface LogStorePlace {
  /**
   * Opens the store; again only after the one before is closed, unless it is shared. `now` is its clock, in ms since 1970, `node` the
   * name by which other nodes know it.
   */
  open(now: () => number, node: string): Promise<LogStore>;
  /**
   * Loses every answer on the way from the engine to the stores that are open, until the returned function is called: what a store asks
   * for is done, and the store never hears of it. Facts about lost answers are checked only where the harness says that places can.
   */
  loseAnswers?(): () => void;
  /** Removes what is left of it; every store is closed. */
  remove(): Promise<void>;
}

/** A store with a clock that stands still, for one test. */
export interface Stage {
  /** The store that is open. */
  readonly store: LogStore;
  /** Opens a stream of it. Default: the stream `s`, all of it kept. */
  open(stream?: string, retention?: Partial<Retention>): Promise<Log>;
  /** Closes the store and opens one at the same place. */
  reopen(): Promise<void>;
  /** Opens the store once more at the same place, as another node; closed with the stage. The first one is the node `a`. */
  join(node: string): Promise<LogStore>;
  /** As {@link LogStorePlace.loseAnswers}. */
  loseAnswers(): () => void;
  /** The store's clock, in ms since 1970. */
  readonly time: number;
  /** Moves the clock by this many ms, also backward. */
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
