import { textBytes } from "../event-bytes.ts";
import { publisherIdOf, sourceIdOf } from "../engine/logged-events.ts";
import type { RememberedAppend } from "../idempotency.ts";
import type { LogEvent } from "../log.ts";
import type { SqlValue } from "./driver.ts";
import type { Draft } from "./draft.ts";
import { hashOptionalText, hashType } from "./hash.ts";
import type { Tables } from "./tables.ts";

/** Writes a value as SQL. */
export type Escape = (value: SqlValue) => string;

/** The size of all but the rows in a statement and of the last statements of a transaction, generously, in bytes. */
export const packetReserve = 4_096;

const eventColumns =
  "stream, seq, time, event, channel, upstream_id, publisher_id, data, bytes, event_hash, channel_hash, upstream_hash, publisher_hash";

/** The values of an event's columns. */
export function eventRow(stream: number, event: LogEvent, escape: Escape): string {
  const { seq, time, channel, data } = event;
  const [sourceId, publisherId] = [sourceIdOf(event), publisherIdOf(event)];
  return [
    stream,
    seq,
    time,
    escape(event.event),
    escape(channel ?? null),
    escape(sourceId ?? null),
    escape(publisherId ?? null),
    escape(data),
    textBytes(event),
    hashType(event.event),
    hashOptionalText(channel) ?? "NULL",
    hashOptionalText(sourceId) ?? "NULL",
    // Without an id there is nothing to look for.
    hashOptionalText(publisherId || undefined) ?? "NULL",
  ].join(",");
}

/** Packs rows into inserts of at most `limit` bytes each; a row that is larger goes alone. */
export function packInserts({ events }: Tables, rows: readonly string[], limit: number): string[] {
  const inserts: string[] = [];
  let packed: string[] = [];
  let size = 0;
  const flush = (): void => {
    if (packed.length > 0) inserts.push(`INSERT INTO ${events} (${eventColumns}) VALUES (${packed.join("),(")})`);
    packed = [];
    size = 0;
  };
  for (const row of rows) {
    const bytes = Buffer.byteLength(row) + 3;
    if (size + bytes > limit) flush();
    packed.push(row);
    size += bytes;
  }
  flush();
  return inserts;
}

/** The statements that write the rest of a draft. */
export function draftStatements(
  tables: Tables,
  { state: row }: Draft,
  keys: ReadonlyMap<string, RememberedAppend>,
  writer: { readonly id: Buffer; readonly transactions: number },
  escape: Escape,
): string[] {
  const remembered = Array.from(keys, ([digest, { fingerprint, first, last, time }]) =>
    [row.id, `X'${digest}'`, escape(fingerprint), first, last, time].join(","),
  );
  const keyColumns = "stream, digest, fingerprint, first_seq, last_seq, time";
  return [
    ...remembered.map((values) => `REPLACE INTO ${tables.idempotencyKeys} (${keyColumns}) VALUES (${values})`),
    `REPLACE INTO ${tables.writers} (writer, stream, transactions, written)
      VALUES (${escape(writer.id)}, ${row.id}, ${writer.transactions}, UTC_TIMESTAMP())`,
    `UPDATE ${tables.streams} SET head = ${row.head}, bytes = ${row.bytes}, last_time = ${row.lastTime},
      revision = ${row.revision}, upstream_cursor = ${escape(row.upstreamCursor ?? null)} WHERE id = ${row.id}`,
  ];
}
