import { backoffDelay } from "../../util/backoff.ts";
import { pause } from "../../util/pause.ts";
import type { LogEvent } from "../log.ts";
import type { Outage } from "../outage.ts";
import type { RunStatement } from "./connections.ts";
import type { PgDriver, PgSettings } from "./driver.ts";
import { isAbsent, storeError } from "./failure.ts";
import { createListener, type Listener } from "./listener.ts";
import type { PostgresLog } from "./postgres-log.ts";
import type { Queries } from "./queries.ts";
import { createSnapshots } from "./snapshots.ts";
import { type Walk, walkOn } from "./walk.ts";

/** Follows the streams of a store over one connection, which listens for notifications and reads what they tell of. */
export interface Tail {
  /** Follows a stream from where its log is. */
  add(log: PostgresLog): void;
  /** Follows it no more. */
  remove(log: PostgresLog): void;
  /** Has a stream read on as if it had been told of. */
  wake(log: PostgresLog): void;
  /** Ends it. */
  close(): Promise<void>;
}

/**
 * How often each stream is asked whether it has changed, in ms: notifications are hints, which a pooler may swallow. Also shows that the
 * connection is alive.
 */
const pollInterval = 1_000;

/** Between two tries to connect, in ms. */
const retry = { min: 50, max: 2_000 };

/** Starts a tail over no streams. It connects again and again by itself, and goes on from where each stream's log is. */
export function startTail(
  driver: PgDriver,
  settings: PgSettings,
  schema: string,
  queries: Queries,
  outage: Outage,
): Tail {
  const logs = new Map<number, PostgresLog>();
  const dirty = new Set<PostgresLog>();
  const closing = new AbortController();
  let wakeUp = new AbortController();
  let pollDue = 0;

  function mark(log: PostgresLog): void {
    dirty.add(log);
    wakeUp.abort();
  }

  /** Also shows that a connection was lost. */
  function pollNow(): void {
    pollDue = 0;
    wakeUp.abort();
  }

  /** A payload says which stream, and how many changes it has seen. */
  function hear(payload: string | undefined): void {
    const [id, changes] = (payload ?? "").split(" ").map(Number);
    const log = logs.get(id!);
    if (log && !(changes! <= log.known().changes)) mark(log);
  }

  /** Follows over one connection, until that is lost. */
  async function follow(listener: Listener): Promise<void> {
    while (!closing.signal.aborted) {
      wakeUp = new AbortController();
      if (performance.now() >= pollDue) {
        for (const log of await selectChanged(listener.run, queries, logs.values())) mark(log);
        pollDue = performance.now() + pollInterval;
        outage.heard(attempt);
      }
      const batch = [...dirty];
      dirty.clear();
      for (const log of batch) await readOn(listener.run, log);
      if (dirty.size === 0) await pause(Math.max(0, pollDue - performance.now()), wakeUp.signal);
    }
  }

  async function readOn(run: RunStatement, log: PostgresLog): Promise<void> {
    if (log.isReplaced()) return;
    try {
      if (await readNext(run, queries, log)) dirty.add(log);
    } catch (error) {
      if (log.isReplaced()) return;
      dirty.add(log);
      throw error;
    }
  }

  async function attempt(onConnected: () => void): Promise<void> {
    const listener = createListener(driver, settings, schema, hear, pollNow);
    closing.signal.addEventListener("abort", listener.close);
    try {
      await listener.open();
      onConnected();
      for (const log of logs.values()) dirty.add(log);
      await follow(listener);
    } finally {
      closing.signal.removeEventListener("abort", listener.close);
      listener.close();
    }
  }

  const ended = keepTrying(attempt, outage, closing.signal);
  return {
    add(log) {
      logs.set(log.id, log);
      mark(log);
    },
    remove(log) {
      if (logs.get(log.id) === log) logs.delete(log.id);
      dirty.delete(log);
    },
    wake: mark,
    async close() {
      closing.abort();
      wakeUp.abort();
      await ended;
    },
  };
}

/** The logs that are not as this node knows them. */
async function selectChanged(
  run: RunStatement,
  queries: Queries,
  logs: Iterable<PostgresLog>,
): Promise<readonly PostgresLog[]> {
  const asked = [...logs];
  const rows = await run(queries.selectChanges(asked.map(({ id }) => id))).catch((error: unknown) => {
    // Without the tables there is no stream left, and nothing that could be followed.
    if (isAbsent(error)) return [];
    throw error;
  });
  const changes = new Map(rows.map((row) => [Number(row.id), Number(row.changes)]));
  return asked.filter((log) => changes.get(log.id) !== log.known().changes);
}

/** Makes attempts, one after the other, until the signal aborts, and tells whether they succeed. */
async function keepTrying(
  attempt: (onConnected: () => void) => Promise<void>,
  outage: Outage,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0;
  const onConnected = (): void => {
    outage.works(attempt);
    failures = 0;
  };
  while (!signal.aborted) {
    try {
      await attempt(onConnected);
    } catch (error) {
      failures++;
      if (!signal.aborted) outage.failed(attempt, { err: storeError(error) });
    }
    if (!signal.aborted) await pause(backoffDelay(failures, retry, 0, Math.random()), signal);
  }
}

/** Reads the next events of a stream, and hands them to its log; resolves to whether there may be more. */
async function readNext(run: RunStatement, queries: Queries, log: PostgresLog): Promise<boolean> {
  const events: LogEvent[] = [];
  const walk: Walk = {
    direction: "forward",
    filter: undefined,
    rows: Infinity,
    bytes: Infinity,
    visit(event) {
      events.push(event);
      return false;
    },
  };
  const stop = await walkOn(createSnapshots(run, queries, log), queries, walk, log.known().head);
  log.take(stop.state, events);
  return stop.reason === "turn";
}
