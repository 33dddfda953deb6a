import { matches } from "../../src/log/filter.ts";
import type { FindOptions, Log, LogPage, LogPosition, LogStore, ReadOptions } from "../../src/log/log.ts";

/** A store whose reads can be counted, and held until a test releases them. */
export interface HeldStore {
  readonly store: LogStore;
  /** Number of started reads with a filter, and of searches for the last matching events. */
  readonly begun: number;
  /** The number of them that have not ended. */
  readonly underWay: number;
  /** From now on, each waits for {@link HeldStore.release} or for its signal to abort. */
  hold(): void;
  release(): void;
}

/**
 * Puts a store behind a door. Reads without a filter, and positions that an index finds, pass unseen. `look` is how many events a page
 * with a filter looks at, if it is to be fewer than the store's own.
 */
export function holdReads(inner: LogStore, look = Infinity): HeldStore {
  let [begun, underWay] = [0, 0];
  let held = Promise.resolve();
  let release = (): void => {};

  async function count<T>(read: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    begun++;
    underWay++;
    try {
      const gone = new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
      await Promise.race([held, gone]);
      return await read();
    } finally {
      underWay--;
    }
  }

  async function readPart(log: Log, after: number, options: ReadOptions): Promise<LogPage> {
    if (look === Infinity) return log.read(after, options);
    const page = await log.read(after, { limit: look });
    return { ...page, events: page.events.filter((event) => matches(options.filter, event)) };
  }

  function wrap(log: Log): Log {
    return {
      stream: log.stream,
      epoch: log.epoch,
      state: () => log.state(),
      append: (events, options) => log.append(events, options),
      read: (after: number, options: ReadOptions): Promise<LogPage> =>
        options.filter ? count(() => readPart(log, after, options)) : log.read(after, options),
      find: (position: LogPosition, options?: FindOptions) =>
        "last" in position ? count(() => log.find(position, options), options?.signal) : log.find(position, options),
      watch: (listener) => log.watch(listener),
      trim: () => log.trim(),
    };
  }

  return {
    store: { ...inner, open: async (stream, options) => wrap(await inner.open(stream, options)) },
    get begun() {
      return begun;
    },
    get underWay() {
      return underWay;
    },
    hold() {
      held = new Promise((resolve) => (release = resolve));
    },
    release: () => release(),
  };
}
