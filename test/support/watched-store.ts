import type { LogStore } from "spillway/log";

/** A store whose logs count those who follow them. */
export interface WatchedStore {
  readonly store: LogStore;
  /** How many follow a log of it now. */
  watched(): number;
}

/** @param beforeOpen awaited before a log is opened; may refuse it */
export function countWatchers(inner: LogStore, beforeOpen: (stream: string) => Promise<void> | void): WatchedStore {
  let watched = 0;
  const store: LogStore = {
    ...inner,
    async open(stream, options) {
      await beforeOpen(stream);
      const log = await inner.open(stream, options);
      const watch = log.watch.bind(log);
      log.watch = (listener) => {
        watched++;
        const end = watch(listener);
        return () => {
          watched--;
          end();
        };
      };
      return log;
    },
  };
  return { store, watched: () => watched };
}
