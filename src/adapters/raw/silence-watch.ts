import type { HandleConnection } from "./handle-connections.ts";

/** Closes connections that say nothing. */
export interface SilenceWatch {
  /** One that has just come. */
  add(connection: HandleConnection): void;
  /** It has said something. */
  remove(connection: HandleConnection): void;
}

/** Between two looks, in ms. */
const pauses = { min: 50, max: 1000 };

/**
 * Watches over all with one timer: one for each connection would be made and cleared at every connect. `limit` is how long one may
 * be silent, in ms; it may take a quarter, at most a second, longer.
 */
export function createSilenceWatch(limit: () => number): SilenceWatch {
  /** Since when. */
  const silent = new Map<HandleConnection, number>();
  let timer: NodeJS.Timeout | undefined;

  function schedule(): void {
    const pause = Math.min(Math.max(limit() / 4, pauses.min), pauses.max);
    timer ??= setTimeout(look, pause).unref();
  }

  function look(): void {
    timer = undefined;
    const last = performance.now() - limit();
    for (const [connection, since] of silent) {
      if (since <= last) connection.destroy();
      // Also one that has gone by itself.
      if (connection.destroyed) silent.delete(connection);
    }
    if (silent.size > 0) schedule();
  }

  return {
    add(connection) {
      silent.set(connection, performance.now());
      if (!timer) schedule();
    },
    remove: (connection) => void silent.delete(connection),
  };
}
