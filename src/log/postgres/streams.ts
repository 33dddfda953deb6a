import { SpillwayError } from "../../errors.ts";
import { newEpoch } from "../cursor.ts";
import type { RunStatement } from "./connections.ts";
import type { StoredState } from "../engine/driver.ts";
import type { SqlRow } from "./driver.ts";
import type { Queries } from "./queries.ts";
import { decodeOptionalText } from "./text.ts";

/** A stream's row. */
export interface StreamRow extends StoredState {
  readonly id: number;
}

/** A stream's row out of what the driver read. */
export function toRow(row: SqlRow): StreamRow {
  return {
    id: Number(row.id),
    epoch: String(row.epoch),
    revision: Number(row.changes),
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
export async function openStream(run: RunStatement, queries: Queries, name: string): Promise<StreamRow> {
  for (;;) {
    const [row] = await run(queries.openStream(name, newEpoch()));
    // None: another node made it in this very moment.
    if (row === undefined) continue;
    requireWhole(name, row);
    return toRow(row);
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
