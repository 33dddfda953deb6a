import type { RunStatement } from "./connections.ts";
import type { SqlRow } from "./driver.ts";
import type { SnapshotQuery } from "./event-queries.ts";
import { isAbsent, storeError } from "./failure.ts";
import type { PostgresLog } from "./postgres-log.ts";
import type { Queries } from "./queries.ts";
import { type StreamState, toState } from "./streams.ts";

/** What one statement reads of a stream: all of it belongs together. */
export interface Snapshot {
  readonly state: StreamState;
  readonly rows: readonly SqlRow[];
}

/** Reads what a query asks of one stream, in one snapshot. */
export type ReadSnapshot = (query: SnapshotQuery) => Promise<Snapshot>;

/**
 * Makes the reads of a log over some connections. Each also sees whether the log is still the one that this node knows: a server that
 * came back without its latest events, or with others in their place, is found out by the first read.
 * @throws {SpillwayError} from each read: `store-unavailable` and the like, as for any failure; also where the log is no longer that one.
 */
export function createSnapshots(run: RunStatement, queries: Queries, log: PostgresLog): ReadSnapshot {
  return async (query) => {
    const { id, head, lastTime } = log.known();
    try {
      const rows = await run(queries.inSnapshot(id, head, query));
      const [first] = rows;
      const state = first && toState(first);
      const sameEvent = first?.mark === null || Number(first?.mark) === lastTime;
      if (!state || state.epoch !== log.epoch) throw log.replace();
      if (state.head < head || !sameEvent) throw await log.lose(run);
      return { state, rows };
    } catch (error) {
      if (isAbsent(error)) throw log.replace();
      throw storeError(error);
    }
  };
}
