import { selectBounds } from "./queries.ts";
import type { Statements } from "./statements.ts";

/** What is held of a stream. */
export interface Bounds {
  readonly head: number;
  /** `head + 1` when nothing is held. */
  readonly earliest: number;
}

/** Reads the bounds of a stream, in the snapshot of the caller. */
export function readBounds(statement: Statements, stream: number): Bounds {
  const row = statement(selectBounds).get(stream)!;
  return { head: Number(row.head), earliest: Number(row.earliest) };
}
