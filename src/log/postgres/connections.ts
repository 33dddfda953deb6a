import { SpillwayError } from "../../errors.ts";
import { createSemaphore } from "../../util/semaphore.ts";
import type { PgClient, PgDriver, PgPool, PgPoolClient, PgSettings, SqlRow, Statement } from "./driver.ts";
import { breaksConnection, storeError } from "./failure.ts";

/** How long it may take to connect, in ms. */
export const connectTimeout = 3_000;

/** How long an answer may take, in ms. */
export const queryTimeout = 5_000;

/** How long closing waits for connections, in ms. */
const closeTimeout = 1_000;

/** Runs a statement. */
export type RunStatement = (statement: Statement) => Promise<readonly SqlRow[]>;

/** Some connections to one server. */
export interface Connections {
  /**
   * Runs a statement on a connection that is free.
   * @throws {SpillwayError} `store-unavailable`, `store-closed`: it was not sent. Otherwise what the driver throws.
   */
  readonly run: RunStatement;
  /** Runs `work` in a transaction. It throws as `run` does. */
  transact<T>(work: (run: RunStatement) => Promise<T>): Promise<T>;
  /** Takes no more statements; resolves once the connections are closed or cut. Idempotent. */
  close(): Promise<void>;
}

/** Makes a pool of at most `max` connections, none open yet. */
export function createConnections(driver: PgDriver, settings: PgSettings, max: number): Connections {
  const clients = new Map<PgPool, Set<PgClient>>();
  const ends = new Set<Promise<void>>();
  const permits = createSemaphore(max);
  let pool = createPool();
  let closed = false;

  function createPool(): PgPool {
    const made = new driver.Pool({ ...settings, max });
    const open = new Set<PgClient>();
    clients.set(made, open);
    made.on("connect", (client) => {
      open.add(client);
      // The query under way gets the error, too.
      client.on("error", () => {});
    });
    made.on("remove", (client) => open.delete(client));
    // An idle connection was lost. Who needs one gets another.
    made.on("error", () => {});
    return made;
  }

  /** Closes a pool; what does not answer is cut off. */
  async function end(left: PgPool): Promise<void> {
    const cut = setTimeout(() => clients.get(left)!.forEach(destroy), closeTimeout);
    await left.end().catch(() => {});
    clearTimeout(cut);
    clients.delete(left);
  }

  /** If one connection is lost, so are the others: neither they nor the waiting callers cost another timeout. */
  function leave(left: PgPool, error: unknown): void {
    if (left !== pool || closed) return;
    pool = createPool();
    const ended = end(left).finally(() => ends.delete(ended));
    ends.add(ended);
    permits.rejectWaiting(storeError(error));
  }

  function lend<T>(work: (client: PgPoolClient) => Promise<T>): Promise<T> {
    return permits.run(async () => {
      if (closed) throw new SpillwayError("store-closed");
      return lendFrom(pool, work);
    });
  }

  async function lendFrom<T>(lender: PgPool, work: (client: PgPoolClient) => Promise<T>): Promise<T> {
    const client = await lender.connect().catch((error: unknown) => {
      leave(lender, error);
      throw storeError(error);
    });
    let broken = true;
    try {
      const result = await work(client);
      broken = false;
      return result;
    } catch (error) {
      broken = breaksConnection(error);
      if (broken) leave(lender, error);
      throw error;
    } finally {
      client.release(broken);
    }
  }

  return {
    run: (statement) => lend(async (client) => (await client.query(statement)).rows),
    transact: (work) => lend((client) => transact(client, work)),
    async close() {
      if (!closed) ends.add(end(pool));
      closed = true;
      await Promise.all(ends);
    },
  };
}

async function transact<T>(client: PgClient, work: (run: RunStatement) => Promise<T>): Promise<T> {
  // A session that holds locks and falls silent loses them.
  await client.query({ text: `BEGIN; SET LOCAL idle_in_transaction_session_timeout = ${2 * queryTimeout}` });
  try {
    const result = await work(async (statement) => (await client.query(statement)).rows);
    await client.query({ text: "COMMIT" });
    return result;
  } catch (error) {
    await client.query({ text: "ROLLBACK" }).catch(() => {});
    throw error;
  }
}

/** Cuts a connection off. */
export function destroy(client: PgClient): void {
  client.connection.stream.destroy();
}
