import { setImmediate as nextTurn } from "node:timers/promises";
import type { LogFilter, LogPosition } from "../log.ts";
import { readBounds } from "./bounds.ts";
import { selectByUpstreamId, selectTime } from "./queries.ts";
import type { Snapshots } from "./snapshots.ts";
import type { Statements } from "./statements.ts";
import { encodeText } from "./text.ts";
import { type Walk, walkOn } from "./walk.ts";

/** The sequence number behind which to read on from a position; `undefined` for an unknown upstream id. */
export async function findPosition(
  snapshots: Snapshots,
  stream: number,
  position: LogPosition,
): Promise<number | undefined> {
  if ("upstreamId" in position) {
    return snapshots.read((statement) => latestWithId(statement, stream, position.upstreamId));
  }
  if ("since" in position) return snapshots.read((statement) => beforeTime(statement, stream, position.since));
  return beforeLast(snapshots, stream, position.last, position.filter);
}

function latestWithId(statement: Statements, stream: number, upstreamId: string): number | undefined {
  const row = statement(selectByUpstreamId).get(stream, encodeText(upstreamId));
  return row && Number(row.seq);
}

/** Times never decrease, so the first event at or after a time is found by halving. */
function beforeTime(statement: Statements, stream: number, since: number): number {
  const { head, earliest } = readBounds(statement, stream);
  let low = earliest;
  let high = head + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const time = Number(statement(selectTime).get(stream, middle)!.time);
    if (time < since) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

async function beforeLast(
  snapshots: Snapshots,
  stream: number,
  last: number,
  filter: LogFilter | undefined,
): Promise<number> {
  const { head } = snapshots.read((statement) => readBounds(statement, stream));
  if (last <= 0) return head;
  let left = last;
  let found = head;
  const walk: Walk = {
    stream,
    direction: "backward",
    filter,
    visit({ seq }) {
      found = seq - 1;
      return --left === 0;
    },
  };

  for (let from = head + 1; ; await nextTurn()) {
    const stop = snapshots.read((statement) => walkOn(statement, walk, from));
    if (stop.reason !== "turn") return found;
    from = stop.seq;
  }
}
