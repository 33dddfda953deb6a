import { SpillwayError } from "../../errors.ts";
import { newEpoch } from "../cursor.ts";
import type { RunStatement } from "./connections.ts";
import type { SqlRow } from "./driver.ts";
import type { Queries } from "./queries.ts";
import { decodeOptionalText } from "./text.ts";

/** A stream's row. */
export interface StreamState {
  readonly id: number;
  readonly epoch: string;
  /** Counts the changes of the row: of two states the one with more is the later one. */
  readonly changes: number;
  readonly head: number;
  readonly earliest: number;
  readonly bytes: number;
  readonly lastTime: number;
  readonly upstreamCursor: string | undefined;
}

/** The columns that {@link toState} reads, of the table `s`. */
export const streamColumns: string =
  "s.id, s.epoch, s.changes, s.head, s.earliest, s.bytes, s.last_time, s.upstream_cursor";

/** A stream's state out of its row. */
export function toState(row: SqlRow): StreamState {
  return {
    id: Number(row.id),
    epoch: String(row.epoch),
    changes: Number(row.changes),
    head: Number(row.head),
    earliest: Number(row.earliest),
    bytes: Number(row.bytes),
    lastTime: Number(row.last_time),
    upstreamCursor: decodeOptionalText(row.upstream_cursor as string | null),
  };
}

/**
 * Reads a stream's row, or makes one.
 * @throws {SpillwayError} `store-corrupt`; otherwise as {@link RunStatement}.
 */
export async function openStream(run: RunStatement, queries: Queries, name: string): Promise<StreamState> {
  for (;;) {
    const [row] = await run(queries.openStream(name, newEpoch()));
    // None: another node made it in this very moment.
    if (row === undefined) continue;
    requireWhole(name, row);
    return toState(row);
  }
}

/** Numbers that were handed out must not be handed out again, so a row that its events contradict is not built upon. */
function requireWhole(name: string, { head, earliest, lowest, highest }: SqlRow): void {
  const whole = highest === null ? Number(earliest) === Number(head) + 1 : highest === head && lowest === earliest;
  if (whole) return;
  const should = `should hold the events ${Number(earliest)} to ${Number(head)}`;
  const holds = highest === null ? "none" : `${Number(lowest)} to ${Number(highest)}`;
  throw new SpillwayError("store-corrupt", `the stream ${name} ${should}, but holds ${holds}`);
}
