import { backoffDelay } from "../../util/backoff.ts";
import { pause } from "../../util/pause.ts";
import type { OpenLog } from "../engine/driver.ts";
import type { Outage } from "../engine/outage.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { renewIfLost, selectTime, toTime } from "./epoch.ts";
import { isMissingTable, storeError } from "./failure.ts";
import { type StreamRow, streamColumns, toStreamRow } from "./streams.ts";
import type { Tables } from "./tables.ts";

/** Follows the logs of a store: polls their rows, with one query for all of them, since MySQL cannot notify of a change. */
export interface Follower {
  /** Follows the log of the stream `id`; returns the way to stop it. */
  add(id: number, log: OpenLog): () => void;
  /** Polls at the shortest interval from now on, since a log has changed. */
  stir(): void;
  /** Stops polling; resolves once nothing is under way. */
  close(): Promise<void>;
}

/** What a follower needs of its store. */
export interface FollowerDependencies {
  readonly connections: Connections;
  readonly tables: Tables;
  /** The database, for messages. */
  readonly place: string;
  readonly outage: Outage;
}

/** Between two polls, in ms: `min` after a change, growing to `max` while nothing changes. */
const interval = { min: 10, max: 50, growth: 1.25 };

/** After a poll that took long, the pause is this many times as long, so that very many streams are polled less often. */
const idleShare = 4;
/** … but no longer than this, in ms: a poll that hung says nothing about the duration of the next one. */
const longestIdle = 1000;

/** Between two attempts to connect, in ms. */
const retry = { min: 100, max: 2_000 };

/** Starts to follow. */
export function startFollower({ connections, tables, place, outage }: FollowerDependencies): Follower {
  const logs = new Map<number, OpenLog>();
  const closing = new AbortController();
  let wait = interval.max;
  let waiting = new AbortController();
  let failures = 0;
  /** The connection of the last poll. */
  let session: Connection | undefined;

  /** Returns whether a log has changed. */
  async function poll(connection: Connection): Promise<boolean> {
    if (logs.size === 0) return false;
    if (session !== connection) await verifyHeads(connection, tables, logs);
    session = connection;
    // What is known before the question must be in the answer.
    const asked = Array.from(logs, ([id, log]) => ({ id, log, known: log.known }));
    if (asked.length === 0) return false;
    const rows = await readRows(connection, tables, logs.keys());
    let changed = false;
    for (const { id, log, known } of asked) {
      if (logs.get(id) !== log) continue;
      const row = rows.get(id);
      if (row?.epoch !== log.epoch) log.replace();
      else if (row.revision < known.revision) await replaceIfLost(connection, tables, id, log);
      else changed = take(log, row) || changed;
    }
    return changed;
  }

  /** Without the tables no stream is left. */
  function replaceAll(error: unknown): boolean {
    if (!isMissingTable(error)) throw error;
    for (const log of logs.values()) log.replace();
    return false;
  }

  async function pollOnce(): Promise<void> {
    const begun = performance.now();
    try {
      const changed = await connections.lend(poll).catch(replaceAll);
      outage.works(closing);
      outage.heard(closing);
      failures = 0;
      wait = changed ? interval.min : Math.min(wait * interval.growth, interval.max);
      wait = Math.max(wait, Math.min(idleShare * (performance.now() - begun), longestIdle));
    } catch (error) {
      session = undefined;
      failures++;
      wait = backoffDelay(failures, retry, 0, Math.random());
      if (!closing.signal.aborted) outage.failed(closing, { err: storeError(error, place) });
    }
  }

  async function follow(): Promise<void> {
    while (!closing.signal.aborted) {
      await pollOnce();
      waiting = new AbortController();
      if (!closing.signal.aborted) await pause(wait, waiting.signal);
    }
  }

  const ended = follow();
  return {
    add(id, log) {
      logs.set(id, log);
      return () => {
        if (logs.get(id) === log) logs.delete(id);
      };
    },
    stir() {
      if (failures > 0 || wait <= interval.min) return;
      wait = interval.min;
      waiting.abort();
    },
    close() {
      closing.abort();
      waiting.abort();
      return ended;
    },
  };
}

async function readRows(
  connection: Connection,
  { streams }: Tables,
  ids: Iterable<number>,
): Promise<ReadonlyMap<number, StreamRow>> {
  const rows = await connection.rows(`SELECT ${streamColumns} FROM ${streams} WHERE id IN (?)`, [[...ids]]);
  return new Map(rows.map(toStreamRow).map((row) => [row.id, row]));
}

/** A new connection may lead to another server, which has other events under the same numbers. */
async function verifyHeads(connection: Connection, tables: Tables, logs: ReadonlyMap<number, OpenLog>): Promise<void> {
  for (const [id, log] of logs) {
    const { head, lastTime } = log.known;
    const time = toTime(await connection.rows(selectTime(tables), [id, head]));
    if (time !== undefined && time !== lastTime) await replaceIfLost(connection, tables, id, log);
  }
}

/** Ends a log if its store has lost events of it. */
async function replaceIfLost(connection: Connection, tables: Tables, id: number, log: OpenLog): Promise<void> {
  if (await renewIfLost(connection, tables, { ...log.known, id })) log.replace();
}

/** Returns whether the row is news. */
function take(log: OpenLog, row: StreamRow): boolean {
  const news = row.revision > log.known.revision;
  log.observe(row);
  if (log.behind) log.catchUp();
  return news;
}
