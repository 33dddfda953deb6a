import { pause } from "../../util/pause.ts";
import type { OpenLog } from "../engine/driver.ts";
import type { Outage } from "../engine/outage.ts";
import { keepConnected } from "../engine/reconnect.ts";
import { destroy, type RunStatement } from "./connections.ts";
import type { PgDriver, PgSettings } from "./driver.ts";
import { isAbsent, storeError } from "./failure.ts";
import type { Queries } from "./queries.ts";

/** Follows the logs of a store over one connection, which listens for notifications. It reconnects by itself. */
export interface Follower {
  /** Runs a statement on the connection, for what subscribers at the head wait for. Rejects while there is none. */
  readonly run: RunStatement;
  /** Follows the log of the stream `id`; returns the way to stop it. */
  add(id: number, log: OpenLog): () => void;
  /** Closes the connection, and makes no more. */
  close(): Promise<void>;
}

/**
 * How often each stream is asked whether it has changed, in ms: notifications are hints, which a pooler may swallow. It also shows that
 * the connection is alive.
 */
const pollInterval = 1_000;

/** A connection that is open. */
interface Listener {
  readonly run: RunStatement;
  readonly lost: AbortSignal;
}

/** Starts to follow; `schema` is also the channel of notifications. */
export function startFollower(
  driver: PgDriver,
  settings: PgSettings,
  schema: string,
  queries: Queries,
  outage: Outage,
): Follower {
  const logs = new Map<number, OpenLog>();
  const closing = new AbortController();
  let listener: Listener | undefined;

  /** A payload is a stream's id and the number of its changes. */
  function onNotification(payload = ""): void {
    const [id, changes] = payload.split(" ").map(Number);
    const log = logs.get(id!);
    if (log && !(changes! <= log.known.revision)) log.catchUp();
  }

  async function listen(lost: AbortController): Promise<Listener> {
    const client = new driver.Client(settings);
    lost.signal.addEventListener("abort", () => destroy(client));
    client.on("error", () => lost.abort());
    client.on("end", () => lost.abort());
    client.on("notification", ({ payload }) => onNotification(payload));
    await client.connect();
    await client.query({ text: `LISTEN "${schema}"` });
    // One statement at a time, so that none spends its time limit waiting for others.
    let turn: Promise<unknown> = Promise.resolve();
    const run: RunStatement = (statement) => {
      const answer = turn.then(async () => {
        if (lost.signal.aborted) throw new Error("the connection was lost");
        return (await client.query(statement)).rows;
      });
      turn = answer.catch(() => {});
      return answer;
    };
    return { run, lost: lost.signal };
  }

  async function attempt(onConnected: () => void): Promise<void> {
    const lost = new AbortController();
    const lose = (): void => lost.abort();
    closing.signal.addEventListener("abort", lose);
    try {
      listener = await listen(lost);
      onConnected();
      for (const log of logs.values()) log.catchUp();
      while (!lost.signal.aborted) {
        for (const log of await changedLogs(listener.run, queries, logs)) log.catchUp();
        outage.heard(attempt);
        await pause(pollInterval, lost.signal);
      }
      throw new Error("the connection was lost");
    } finally {
      listener = undefined;
      closing.signal.removeEventListener("abort", lose);
      lose();
    }
  }

  const describe = (error: unknown): object => ({ err: storeError(error) });
  const ended = keepConnected({ attempt, outage, describe, signal: closing.signal });
  return {
    async run(statement) {
      if (!listener) throw new Error("there is no connection to follow the log");
      return listener.run(statement);
    },
    add(id, log) {
      logs.set(id, log);
      log.catchUp();
      return () => {
        if (logs.get(id) === log) logs.delete(id);
      };
    },
    async close() {
      closing.abort();
      await ended;
    },
  };
}

/** The logs that are not as this node knows them, and those whose events it has yet to read. */
async function changedLogs(
  run: RunStatement,
  queries: Queries,
  logs: ReadonlyMap<number, OpenLog>,
): Promise<readonly OpenLog[]> {
  const rows = await run(queries.selectChanges([...logs.keys()])).catch((error: unknown) => {
    // Without the tables no stream is left: every log finds out when it reads.
    if (isAbsent(error)) return [];
    throw error;
  });
  const changes = new Map(rows.map((row) => [Number(row.id), Number(row.changes)]));
  return Array.from(logs)
    .filter(([id, log]) => log.behind || changes.get(id) !== log.known.revision)
    .map(([, log]) => log);
}
