import { newEpoch } from "../cursor.ts";
import type { SqliteDatabase } from "./driver.ts";
import type { Head, Heads } from "./heads.ts";
import { decodeText, encodeText } from "./text.ts";
import { transact } from "./transaction.ts";

/** Acknowledged events that are no longer in the database. */
export interface Loss {
  /** `undefined` if the stream is no longer in the database. */
  readonly stream: string | undefined;
  /** Number of lost events; `undefined` if the heads do not include the stream. */
  readonly missing: number | undefined;
}

/** Describes a loss, for a log line or an error. */
export function lossText({ stream, missing }: Loss): string {
  if (stream === undefined) return "the database no longer contains a stream with stored events: they are lost";
  const what =
    missing === undefined
      ? `events of the stream ${stream} may be lost: its last number is not in the .heads file beside the database`
      : `the database has lost ${missing} stored events of the stream ${stream}`;
  return `${what}; the stream gets a new epoch, and returning clients are reset`;
}

interface Row extends Head {
  readonly name: string;
  /** Whether the heads must include the stream. */
  readonly tracked: boolean;
}

/** Compares the streams in the database with their heads, without writing. */
export function findLosses(database: SqliteDatabase, heads: Heads): Loss[] {
  return compare(readRows(database), heads).losses;
}

/**
 * Like {@link findLosses}, but also gives each stream that lost events a new epoch, so that no number is assigned
 * twice, and updates the heads to those of the database.
 */
export function renewLost(database: SqliteDatabase, heads: Heads): Loss[] {
  const rows = readRows(database);
  const { losses, damaged } = compare(rows, heads);
  if (losses.length === 0 && rows.every(({ tracked }) => tracked)) {
    for (const { id, epoch, head } of rows) heads.set({ id, epoch, head });
    heads.write();
    return losses;
  }
  const renewed = rows.map((row): Head => {
    const { id, epoch, head } = row;
    return { id, epoch: damaged.has(row) ? newEpoch() : epoch, head };
  });
  transact(database, () => {
    const update = database.prepare("UPDATE streams SET epoch = ?, tracked = 1 WHERE id = ?");
    for (const { id, epoch } of renewed) update.run(encodeText(epoch), id);
    // Before the commit, because every tracked row must have a head.
    heads.replace(renewed);
  });
  return losses;
}

function compare(rows: readonly Row[], heads: Heads): { losses: Loss[]; damaged: Set<Row> } {
  const losses: Loss[] = [];
  const damaged = new Set<Row>();
  for (const row of rows) {
    const noted = heads.get(row.id);
    const same = noted?.epoch === row.epoch;
    if (same ? noted.head <= row.head : !row.tracked) continue;
    damaged.add(row);
    losses.push({ stream: row.name, missing: same ? noted.head - row.head : undefined });
  }
  const ids = new Set(rows.map(({ id }) => id));
  for (const { id, head } of heads.all()) {
    if (!ids.has(id) && head > 0) losses.push({ stream: undefined, missing: head });
  }
  return { losses, damaged };
}

function readRows(database: SqliteDatabase): Row[] {
  const rows = database.prepare("SELECT id, name, epoch, head, tracked FROM streams ORDER BY id").all();
  return rows.map(({ id, name, epoch, head, tracked }) => ({
    id: Number(id),
    name: decodeText(name),
    epoch: String(epoch),
    head: Number(head),
    tracked: tracked === 1,
  }));
}
