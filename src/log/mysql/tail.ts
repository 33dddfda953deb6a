import { backoffDelay } from "../../util/backoff.ts";
import { pause } from "../../util/pause.ts";
import type { Outage } from "../engine/outage.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { isMissingTable, storeError } from "./failure.ts";
import { type StreamRow, streamColumns, toStreamRow } from "./streams.ts";
import type { Tables } from "./tables.ts";

/** A log as the tail sees it. */
export interface TailedLog {
  /** Id of the stream. */
  readonly id: number;
  /** The revision of the row that it knows. */
  readonly revision: number;
  /** Takes a row that was asked for when `asked` was the known revision. Returns whether it says something new. */
  observe(row: StreamRow | undefined, asked: number): boolean;
  /** Looks whether the log is still the one it was, since the server may be another. */
  verify(connection: Connection): Promise<void>;
}

/** Follows the rows of all open streams, with one query at a time: MySQL cannot tell by itself that something was appended. */
export interface Tail {
  /** Says that something moves: the next looks follow at short intervals. */
  stir(): void;
  /** Ends it; resolves once nothing is under way. */
  stop(): Promise<void>;
}

/** Between two looks, in ms: `min` after something moved, growing to `max` while nothing does. */
const interval = { min: 10, max: 50, growth: 1.25 };

/** Looking takes at most one part in so many of the time, so that very many streams are looked at less often. */
const idleShare = 4;
/** … but no longer than this, in ms: a look that hung says nothing of what the next one costs. */
const longestIdle = 1000;

/** Between two tries to connect, in ms. */
const retry = { min: 100, max: 2_000 };

/** Starts to follow logs; `logs` are the open ones at the moment. */
export function startTail(
  { connections, tables, place }: { connections: Connections; tables: Tables; place: string },
  logs: () => readonly TailedLog[],
  outage: Outage,
): Tail {
  const stopping = new AbortController();
  let wait = interval.max;
  let waiting = new AbortController();
  let failures = 0;
  /** The session of the last look. */
  let session: Connection | undefined;

  async function readRows(connection: Connection, ids: readonly number[]): Promise<ReadonlyMap<number, StreamRow>> {
    const found = await connection.rows(`SELECT ${streamColumns} FROM ${tables.streams} WHERE id IN (?)`, [ids]);
    return new Map(found.map(toStreamRow).map((row) => [row.id, row]));
  }

  /** Returns whether something moved. */
  async function look(connection: Connection): Promise<boolean> {
    const asked = logs().map((log) => ({ log, revision: log.revision }));
    if (asked.length === 0) return false;
    if (session !== connection) for (const { log } of asked) await log.verify(connection);
    session = connection;
    const rows = await readRows(
      connection,
      asked.map(({ log }) => log.id),
    );
    return asked.filter(({ log, revision }) => log.observe(rows.get(log.id), revision)).length > 0;
  }

  /** Where somebody removed the tables, there is no stream left. */
  function withoutTables(error: unknown): boolean {
    if (!isMissingTable(error)) throw error;
    for (const log of logs()) log.observe(undefined, 0);
    return false;
  }

  async function lookOnce(): Promise<void> {
    const begun = performance.now();
    try {
      const moved = await connections.lend(look).catch(withoutTables);
      outage.works(stopping);
      outage.heard(stopping);
      failures = 0;
      wait = moved ? interval.min : Math.min(wait * interval.growth, interval.max);
      wait = Math.max(wait, Math.min(idleShare * (performance.now() - begun), longestIdle));
    } catch (error) {
      session = undefined;
      failures++;
      wait = backoffDelay(failures, retry, 0, Math.random());
      if (!stopping.signal.aborted) outage.failed(stopping, { err: storeError(error, place) });
    }
  }

  async function follow(): Promise<void> {
    while (!stopping.signal.aborted) {
      await lookOnce();
      waiting = new AbortController();
      await pause(wait, AbortSignal.any([stopping.signal, waiting.signal]));
    }
  }

  const ended = follow();
  return {
    stir() {
      if (failures > 0 || wait <= interval.min) return;
      wait = interval.min;
      waiting.abort();
    },
    stop() {
      stopping.abort();
      return ended;
    },
  };
}
