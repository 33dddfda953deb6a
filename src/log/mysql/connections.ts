import { SpillwayError } from "../../errors.ts";
import { createSemaphore } from "../../util/semaphore.ts";
import { type Connection, openConnection, type ServerSettings } from "./connection.ts";
import { isConnectionLost, storeError } from "./failure.ts";

/** A few connections that are opened when they are needed, and used by one task at a time. */
export interface Connections {
  /**
   * Runs a task on a connection. If it throws, the connection is ended, so that nothing of its transaction is left.
   * @throws {SpillwayError} `store-unavailable` where no connection can be had in time, `store-closed`. The task's own errors as they are.
   */
  lend<T>(task: (connection: Connection) => Promise<T>): Promise<T>;
  /** Starts no more tasks, and ends all connections at once. Idempotent. */
  close(): void;
}

/** How long a task waits for a connection, in ms. */
const acquireTimeout = 10_000;

/** Makes at most `max` connections, none open yet. */
export function createConnections(server: ServerSettings, max: number): Connections {
  const { location } = server;
  const idle: Connection[] = [];
  const used = new Set<Connection>();
  const permits = createSemaphore(max, {
    acquireTimeout: {
      ms: acquireTimeout,
      error: () => new SpillwayError("store-unavailable", `${location.name}: all ${max} connections are busy`),
    },
  });
  let closed = false;

  function popIdle(): Connection | undefined {
    for (let connection = idle.pop(); connection; connection = idle.pop()) if (connection.usable) return connection;
    return undefined;
  }

  async function open(): Promise<Connection> {
    try {
      return await openConnection(server);
    } catch (error) {
      const failure = storeError(error, location.name);
      // Where one cannot connect, the others cannot either: they are not kept waiting one after another.
      permits.rejectWaiting(failure);
      throw failure;
    }
  }

  async function lendOne<T>(task: (connection: Connection) => Promise<T>): Promise<T> {
    try {
      return await useOne(popIdle() ?? (await open()), task);
    } catch (error) {
      // If one connection is lost, so are the others: none of them shall cost another timeout.
      if (isConnectionLost(error)) for (const other of idle.splice(0)) other.destroy();
      throw error;
    }
  }

  async function useOne<T>(connection: Connection, task: (connection: Connection) => Promise<T>): Promise<T> {
    used.add(connection);
    try {
      const result = await task(connection);
      if (closed) connection.destroy();
      else if (connection.usable) idle.push(connection);
      return result;
    } catch (error) {
      connection.destroy();
      throw error;
    } finally {
      used.delete(connection);
    }
  }

  return {
    async lend(task) {
      if (closed) throw new SpillwayError("store-closed");
      return permits.run(() => lendOne(task));
    },
    close() {
      closed = true;
      for (const connection of idle.splice(0)) connection.close();
      permits.rejectWaiting(new SpillwayError("store-closed"));
      for (const connection of used) connection.destroy();
    },
  };
}
