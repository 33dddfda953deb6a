import { heldBytes } from "../event-bytes.ts";
import type { LogState, Retention } from "../log.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { type StreamRow, streamColumns, toStreamRow } from "./streams.ts";
import { forgetSurplus } from "./surplus.ts";
import type { Tables } from "./tables.ts";

/** A log as the trimmer sees it. */
export interface TrimmedLog {
  /** Id of the stream. */
  readonly id: number;
  readonly epoch: string;
  readonly retention: Retention;
  /** The last known state. */
  state(): LogState;
  /** Takes a row that was read after a step. */
  onTrimmed(row: StreamRow): void;
}

/** Removes what retention does not keep, without the stream's lock: nobody who appends waits for it. */
export interface Trimmer {
  /** Whether there may be something to remove, as far as is known without asking. */
  isDue(log: TrimmedLog, now: number): boolean;
  /**
   * Removes a stream's oldest events, to the end; resolves to how many.
   * @throws {SpillwayError} `store-unavailable`, `store-readonly`, `store-closed`.
   */
  trim(log: TrimmedLog, now: number): Promise<number>;
  /**
   * Forgets the idempotency keys that are older than 24 h, and what is left of nodes that are gone.
   * @throws {SpillwayError} as `trim`.
   */
  prune(expired: number): Promise<void>;
  /**
   * Forgets idempotency keys of a stream that has more than its retention keeps.
   * @throws {SpillwayError} as `trim`.
   */
  boundKeys(log: TrimmedLog): Promise<void>;
}

/** Events that a step removes: a few milliseconds of work. */
const stepSize = 1_000;

/** Makes the part of a store that trims. */
export function createTrimmer(connections: Connections, tables: Tables): Trimmer {
  /** Until when, in ms since 1970, no event of a log is too old. */
  const unexpired = new WeakMap<TrimmedLog, { readonly retention: Retention; readonly until: number }>();

  async function readRow(connection: Connection, id: number): Promise<StreamRow | undefined> {
    const [row] = await connection.rows(`SELECT ${streamColumns} FROM ${tables.streams} WHERE id = ?`, [id]);
    return row && toStreamRow(row);
  }

  /** The stream without the oldest events that it need not keep, at most so many of them. */
  async function withoutOldest(
    connection: Connection,
    row: StreamRow,
    log: TrimmedLog,
    now: number,
    limit: number,
  ): Promise<StreamRow> {
    const { age = Infinity, events = Infinity, bytes = Infinity } = log.retention;
    let { earliest, bytes: held } = row;
    const oldest = await connection.rows(
      `SELECT time, bytes FROM ${tables.events} WHERE stream = ? AND seq >= ? ORDER BY seq LIMIT ?`,
      [row.id, earliest, limit],
    );
    let time = row.lastTime;
    for (const { time: ownTime, bytes: size } of oldest) {
      time = Number(ownTime);
      const count = row.head - earliest + 1;
      if (count <= events && heldBytes({ head: row.head, earliest, bytes: held }) <= bytes && time >= now - age) break;
      held -= Number(size);
      earliest++;
    }
    // What is left is not older than this.
    unexpired.set(log, { retention: log.retention, until: time + age });
    return { ...row, earliest, bytes: held };
  }

  /** Resolves to the events removed; `undefined` if there is nothing left to remove. */
  async function step(connection: Connection, log: TrimmedLog, now: number): Promise<number | undefined> {
    const row = await readRow(connection, log.id);
    if (row?.epoch !== log.epoch) return undefined;
    // Most of the time there is nothing to do.
    const first = await withoutOldest(connection, row, log, now, 1);
    if (first.earliest === row.earliest) return undefined;
    const { earliest, bytes } = await withoutOldest(connection, row, log, now, stepSize);
    // Of several nodes one moves the beginning on; from then on nobody reads what lies before it.
    const moved = await connection.run(
      `UPDATE ${tables.streams} SET earliest = ?, bytes = bytes - ?, revision = revision + 1
      WHERE id = ? AND epoch = ? AND earliest = ?`,
      [earliest, row.bytes - bytes, row.id, row.epoch, row.earliest],
    );
    // Twice as many as a step moves on: a node that died before this left some.
    await connection.run(`DELETE FROM ${tables.events} WHERE stream = ? AND seq < ? ORDER BY seq LIMIT ?`, [
      row.id,
      moved > 0 ? earliest : row.earliest,
      2 * stepSize,
    ]);
    const after = await readRow(connection, log.id);
    if (after) log.onTrimmed(after);
    return moved > 0 ? earliest - row.earliest : 0;
  }

  return {
    isDue(log, now) {
      const { events: most = Infinity, bytes: mostBytes = Infinity } = log.retention;
      const { events, bytes } = log.state();
      const known = unexpired.get(log);
      return events > most || bytes > mostBytes || known?.retention !== log.retention || now > known.until;
    },
    async trim(log, now) {
      let sum = 0;
      for (;;) {
        const removed = await connections.ask((connection) => step(connection, log, now));
        if (removed === undefined) return sum;
        sum += removed;
      }
    },
    boundKeys: ({ id, retention }) => forgetSurplus(connections, tables, id, retention.keys),
    prune: (expired) =>
      connections.ask(async (connection) => {
        const dayAgo = "UTC_TIMESTAMP() - INTERVAL 1 DAY";
        await connection.run(`DELETE FROM ${tables.idempotencyKeys} WHERE time <= ? ORDER BY time LIMIT ?`, [
          expired,
          stepSize,
        ]);
        await connection.run(`DELETE FROM ${tables.writers} WHERE written < ${dayAgo}`);
        await connection.run(`DELETE FROM ${tables.wants} WHERE wanted_until < ${dayAgo}`);
      }),
  };
}
