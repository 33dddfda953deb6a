import type { Logger } from "../../util/logger.ts";

/** Says once that the server is away, and once that it is back, however many connections to it there are. */
export interface Outage {
  /** A connection failed, or could not be made. */
  failed(connection: object, reason: string): void;
  /** A connection serves. */
  serves(connection: object): void;
}

/** Makes the outage of a store at `place`: there is none yet. */
export function createOutage(place: string, logger: Logger): Outage {
  const down = new Set<object>();
  return {
    failed(connection, reason) {
      if (down.size === 0) logger.warn({ place, reason }, "a connection to the log's server was lost");
      else logger.debug({ place, reason }, "another connection to the log's server failed");
      down.add(connection);
    },
    serves(connection) {
      if (down.delete(connection) && down.size === 0) logger.info({ place }, "the log's server can be reached again");
    },
  };
}
