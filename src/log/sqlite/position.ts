import { setImmediate as nextTurn } from "node:timers/promises";
import type { AlikeEvent } from "../engine/driver.ts";
import { firstMatch } from "../engine/position.ts";
import { lastPosition } from "../last.ts";
import type { FindOptions, LogFilter, LogPosition } from "../log.ts";
import { readBounds } from "./bounds.ts";
import type { SqlRow } from "./driver.ts";
import { selectAlikeOfPublishers, selectAlikeOfSource, selectLatestOfSource, selectTime } from "./queries.ts";
import type { Snapshots } from "./snapshots.ts";
import type { Statements } from "./statements.ts";
import { decodeOptionalText, decodeText, encodeText } from "./text.ts";
import { type Walk, walkOn } from "./walk.ts";

/** The sequence number behind which to read on from a position; `undefined` for an unknown id. */
export async function findPosition(
  snapshots: Snapshots,
  stream: number,
  position: LogPosition,
  { signal }: FindOptions = {},
): Promise<number | undefined> {
  if ("sourceId" in position)
    return snapshots.read((statement) => latestOfSource(statement, stream, position.sourceId));
  if ("upstreamId" in position) return snapshots.read((statement) => firstWithId(statement, stream, position));
  if ("since" in position) return snapshots.read((statement) => beforeTime(statement, stream, position.since));
  const { last, filter } = position;
  if (filter === undefined) return snapshots.read((statement) => lastPosition(readBounds(statement, stream), last));
  return beforeLast(snapshots, stream, { last, filter }, signal);
}

function latestOfSource(statement: Statements, stream: number, id: string): number | undefined {
  const row = statement(selectLatestOfSource).get(stream, encodeText(id));
  return row && Number(row.seq);
}

function firstWithId(
  statement: Statements,
  stream: number,
  { upstreamId, published, filter }: Extract<LogPosition, { upstreamId: string }>,
): number | undefined {
  const selects = published ? [selectAlikeOfSource, selectAlikeOfPublishers] : [selectAlikeOfSource];
  const id = encodeText(upstreamId);
  return firstMatch(
    selects.map((sql) => statement(sql).all(stream, id).map(toAlike)),
    filter,
  );
}

function toAlike({ seq, event, channel }: SqlRow): AlikeEvent {
  return { seq: Number(seq), event: decodeText(event), channel: decodeOptionalText(channel) };
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
  { last, filter }: { readonly last: number; readonly filter: LogFilter },
  signal: AbortSignal | undefined,
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
    signal?.throwIfAborted();
    const stop = snapshots.read((statement) => walkOn(statement, walk, from));
    if (stop.reason !== "turn") return found;
    from = stop.seq;
  }
}
