import { SpillwayError } from "../../errors.ts";
import { newEpoch } from "../cursor.ts";
import type { SqliteDatabase, SqlRow } from "./driver.ts";
import type { StreamRow } from "./messages.ts";
import { decodeOptionalText, encodeOptionalText, encodeText } from "./text.ts";

/** The streams that are open for writing. */
export interface Streams {
  /** Reads a stream's row, or inserts one. Must be called in a transaction. */
  open(name: string): StreamRow;
  /**
   * @throws {SpillwayError} `store-unavailable` if the stream is not open, because a new thread failed to reopen it.
   */
  get(id: number): StreamRow;
  /** Writes a row. Must be called in a transaction, and followed by `set` once that is committed. */
  save(stream: StreamRow): void;
  set(stream: StreamRow): void;
  /** Deletes a stream's row and its idempotency keys. Must be called in a transaction. */
  remove(id: number): void;
}

const selectStream = `
  SELECT id, epoch, head, earliest, bytes, last_time AS lastTime, upstream_cursor AS upstreamCursor,
    (SELECT min(seq) FROM events WHERE stream = streams.id) AS lowest,
    (SELECT max(seq) FROM events WHERE stream = streams.id) AS highest
  FROM streams WHERE name = ?`;

const updateStream = `
  UPDATE streams SET head = ?, earliest = ?, bytes = ?, last_time = ?, upstream_cursor = ? WHERE id = ?`;

/** Makes the table of a writer's open streams, which is empty at first. */
export function createStreams(database: SqliteDatabase): Streams {
  const select = database.prepare(selectStream);
  const insert = database.prepare("INSERT INTO streams (name, epoch, tracked) VALUES (?, ?, 1)");
  const update = database.prepare(updateStream);
  const remove = database.prepare("DELETE FROM streams WHERE id = ?");
  const removeKeys = database.prepare("DELETE FROM idempotency_keys WHERE stream = ?");
  const streams = new Map<number, StreamRow>();

  return {
    open(name) {
      const key = encodeText(name);
      let row = select.get(key);
      if (row === undefined) {
        insert.run(key, newEpoch());
        row = select.get(key)!;
      }
      requireWhole(name, row);
      return toRow(row);
    },
    get(id) {
      const stream = streams.get(id);
      if (stream === undefined) throw new SpillwayError("store-unavailable", `the stream ${id} is not open`);
      return stream;
    },
    save({ id, head, earliest, bytes, lastTime, upstreamCursor }) {
      update.run(head, earliest, bytes, lastTime, encodeOptionalText(upstreamCursor), id);
    },
    set: (stream) => void streams.set(stream.id, stream),
    remove(id) {
      removeKeys.run(id);
      remove.run(id);
      streams.delete(id);
    },
  };
}

/** Converts a row of the driver to a stream's row. */
export function toRow(row: SqlRow): StreamRow {
  return {
    id: Number(row.id),
    epoch: String(row.epoch),
    head: Number(row.head),
    earliest: Number(row.earliest),
    bytes: Number(row.bytes),
    lastTime: Number(row.lastTime),
    upstreamCursor: decodeOptionalText(row.upstreamCursor),
  };
}

/** Refuses a row that contradicts its events, because numbers must not be assigned twice. */
function requireWhole(name: string, { head, earliest, lowest, highest }: SqlRow): void {
  const whole = highest === null ? Number(earliest) === Number(head) + 1 : highest === head && lowest === earliest;
  if (whole) return;
  const should = `should hold the events ${Number(earliest)} to ${Number(head)}`;
  const holds = highest === null ? "none" : `${Number(lowest)} to ${Number(highest)}`;
  throw new SpillwayError("store-corrupt", `the stream ${name} ${should}, but holds ${holds}`);
}
