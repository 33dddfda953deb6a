import { SpillwayError } from "../../errors.ts";
import { type Batch, LogReplacedError } from "../engine/driver.ts";
import type { LogEvent } from "../log.ts";
import type { Connection } from "./connection.ts";
import { type Draft, draftGroup } from "./draft.ts";
import type { SqlRow } from "./driver.ts";
import { isSameLog, type Known, renewEpoch, selectTime, toTime } from "./epoch.ts";
import { CommitError } from "./failure.ts";
import { createIdempotencyKeys, keyDigests } from "./idempotency-keys.ts";
import { draftStatements, type Escape, eventRow, packetReserve, packInserts } from "./statements.ts";
import { type StreamRow, streamColumns, toStreamRow } from "./streams.ts";
import type { Tables } from "./tables.ts";

/** What the transactions of one log have in common. */
export interface TransactionContext {
  readonly tables: Tables;
  readonly escape: Escape;
  /** The node's name, as leases have it. */
  readonly node: string;
  /** 16 random bytes, by which the log finds its own transactions. */
  readonly writer: Buffer;
}

/** A transaction that was prepared: locks are held, and all but the last text is sent. */
export interface Transaction {
  readonly draft: Draft;
  /**
   * Commits it, or ends it if there is nothing to write.
   * @throws {CommitError} where it may have been committed.
   */
  end(): Promise<void>;
}

/**
 * For how long the server waits for the next statement of a session within a transaction, in s. A process that was stopped or cut off
 * during one would otherwise keep the stream's lock from every other node.
 */
const heldTimeout = 2;
const begin = `SET SESSION wait_timeout = ${heldTimeout}; START TRANSACTION`;
const afterwards = "SET SESSION wait_timeout = DEFAULT";

/** Statements are split at this size, in bytes, or what the server takes if that is less. */
const packetSize = 4 * 1024 * 1024;

/**
 * Prepares the transaction that appends a group under its number.
 * @throws {LogReplacedError} where the stream has another log now. What the client library throws, as it is.
 */
export async function prepareTransaction(
  connection: Connection,
  context: TransactionContext,
  known: Known,
  number: number,
  group: readonly Batch[],
): Promise<Transaction> {
  const { tables, node, escape, writer } = context;
  const { row, time, keyRows } = await lockStream(connection, tables, known, keyDigests(group));
  if (row === undefined || !isSameLog(row, time, known)) {
    if (row?.epoch === known.epoch) await renewEpoch(connection, tables, row);
    throw new LogReplacedError();
  }
  const keys = createIdempotencyKeys(keyRows);
  const encode = (event: LogEvent): string => encodeEvent(connection, context, row.id, event);
  const draft = draftGroup(group, { locked: row, node, keys, encode });
  if (!draft.writes) return { draft, end: () => run(connection, `ROLLBACK; ${afterwards}`) };

  const rest = draftStatements(tables, draft, keys.added, { id: writer, transactions: number }, escape);
  const inserts = packInserts(tables, draft.encoded, Math.min(connection.maxPacket, packetSize) / 2 - packetReserve);
  // Few events go in one round trip with all else, many before it.
  const last = inserts.length === 1 ? inserts.splice(0) : [];
  for (const insert of inserts) await connection.run(insert);
  return { draft, end: () => commit(connection, [...last, ...rest, "COMMIT", afterwards].join("; ")) };
}

/** What a group depends on, read under the stream's lock. */
interface Locked {
  readonly row: StreamRow | undefined;
  /** Of the event where the node knows the head. */
  readonly time: number | undefined;
  readonly keyRows: readonly SqlRow[];
}

/** Locks the stream, in one round trip with everything that is read. */
async function lockStream(
  connection: Connection,
  tables: Tables,
  { id, head }: Known,
  digests: readonly Buffer[],
): Promise<Locked> {
  const withKeys = digests.length > 0;
  const selectKeys = `SELECT digest, fingerprint, first_seq AS first, last_seq AS last, time
    FROM ${tables.idempotencyKeys} WHERE stream = ? AND digest IN (?)`;
  const results = (await connection.script(
    `${begin}; SELECT ${streamColumns} FROM ${tables.streams} WHERE id = ? FOR UPDATE; ${selectTime(tables)}
    ${withKeys ? `; ${selectKeys}` : ""}`,
    [id, id, head, ...(withKeys ? [id, digests] : [])],
  )) as readonly (readonly SqlRow[])[];
  const [rows = [], times = [], keyRows = []] = results.slice(2);
  return { row: rows[0] && toStreamRow(rows[0]), time: toTime(times), keyRows };
}

function encodeEvent(
  { maxPacket }: Connection,
  { escape }: TransactionContext,
  stream: number,
  event: LogEvent,
): string {
  const row = eventRow(stream, event, escape);
  const size = Buffer.byteLength(row);
  if (size <= maxPacket - packetReserve) return row;
  const message = `an event takes ${size} bytes, and max_allowed_packet of the server is ${maxPacket}`;
  throw new SpillwayError("store-unavailable", message);
}

/**
 * Finds out whether a transaction was committed whose end was not answered. If its session is still alive, it holds the stream's lock
 * until it has committed or has ended, so the answer under the same lock is final.
 */
export async function isCommitted(
  connection: Connection,
  { tables, writer }: TransactionContext,
  stream: number,
  number: number,
): Promise<boolean> {
  const results = await connection.script(
    `${begin}; SELECT id FROM ${tables.streams} WHERE id = ? FOR UPDATE;
    SELECT transactions FROM ${tables.writers} WHERE writer = ? AND stream = ?; ROLLBACK; ${afterwards}`,
    [stream, writer, stream],
  );
  const [row] = results[3] as readonly SqlRow[];
  return Number(row?.["transactions"] ?? 0) === number;
}

async function commit(connection: Connection, script: string): Promise<void> {
  try {
    await connection.script(script);
  } catch (error) {
    throw new CommitError(error);
  }
}

async function run(connection: Connection, script: string): Promise<void> {
  await connection.script(script);
}
