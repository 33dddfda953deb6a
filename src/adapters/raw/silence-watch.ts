import type { HandleConnection } from "./handle-connections.ts";

/** Closes connections that send nothing. */
export interface SilenceWatch {
  /** Adds a connection from which bytes are expected. */
  add(connection: HandleConnection): void;
  /** Removes a connection that has sent some. */
  remove(connection: HandleConnection): void;
}

/** Bounds of the interval between two checks, in ms. */
const pauses = { min: 50, max: 1000 };

/**
 * Watches all connections with a single timer instead of creating and clearing one per connection. `limit` returns how
 * long a connection may be silent, in ms; closing it may take a quarter of that longer, at most a second.
 */
export function createSilenceWatch(limit: () => number): SilenceWatch {
  /** When each silent connection was added. */
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
      // Also drops connections that closed by themselves.
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
