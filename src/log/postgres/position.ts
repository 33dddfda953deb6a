import { firstMatch, type AlikeEvent } from "../ids.ts";
import type { FindOptions, LogPosition } from "../log.ts";
import type { SqlRow } from "./driver.ts";
import type { Queries } from "./queries.ts";
import type { ReadSnapshot } from "./snapshots.ts";
import { decodeOptionalText, decodeText } from "./text.ts";
import { type Walk, walkOn } from "./walk.ts";

/** The sequence number behind which to read on from a position; `undefined` for an unknown id. */
export async function findPosition(
  read: ReadSnapshot,
  queries: Queries,
  position: LogPosition,
  { signal }: FindOptions = {},
): Promise<number | undefined> {
  if ("last" in position) return beforeLast(read, queries, position, signal);
  if ("upstreamId" in position) return firstWithId(read, queries, position);
  const { rows } = await read(
    "since" in position ? queries.selectByTime(position.since) : queries.selectLatestOfSource(position.sourceId),
  );
  const found = rows[0]?.found;
  return found === null || found === undefined ? undefined : Number(found);
}

async function firstWithId(
  read: ReadSnapshot,
  queries: Queries,
  { upstreamId, published, filter }: Extract<LogPosition, { upstreamId: string }>,
): Promise<number | undefined> {
  const origins = published ? (["source", "publisher"] as const) : (["source"] as const);
  const found = await Promise.all(origins.map((origin) => read(queries.selectAlike(origin, upstreamId))));
  // Where there is no event, there is one row: that of the stream.
  return firstMatch(
    found.map(({ rows }) => rows.filter(({ seq }) => seq !== null).map(toAlike)),
    filter,
  );
}

function toAlike({ seq, event, channel }: SqlRow): AlikeEvent {
  return {
    seq: Number(seq),
    event: decodeText(event as string),
    channel: decodeOptionalText(channel as string | null),
  };
}

async function beforeLast(
  read: ReadSnapshot,
  queries: Queries,
  { last, filter }: Extract<LogPosition, { readonly last: number }>,
  signal: AbortSignal | undefined,
): Promise<number> {
  let left = last;
  let found: number | undefined;
  const walk: Walk = {
    direction: "backward",
    filter,
    rows: Infinity,
    bytes: Infinity,
    visit({ seq }) {
      found = seq - 1;
      return --left <= 0;
    },
  };

  for (let from = Number.MAX_SAFE_INTEGER; ;) {
    signal?.throwIfAborted();
    const stop = await walkOn(read, queries, last <= 0 ? { ...walk, rows: 0 } : walk, from);
    found ??= stop.state.head;
    if (last <= 0 || stop.reason !== "turn") return found;
    from = stop.seq;
  }
}
