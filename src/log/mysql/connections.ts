import { SpillwayError } from "../../errors.ts";
import { type Connection, openConnection } from "./connection.ts";
import type { MysqlDriver } from "./driver.ts";
import { isServerError, storeError } from "./failure.ts";
import type { Location } from "./location.ts";
import { createPlaces } from "./places.ts";

/** A few connections that are opened when they are needed, and used by one task at a time. */
export interface Connections {
  /**
   * Runs a task on a connection. If it throws, the connection is ended, so that nothing of its transaction is left.
   * @throws {SpillwayError} `store-unavailable` where no connection can be had in time, `store-closed`. The task's own errors as they are.
   */
  lend<T>(task: (connection: Connection) => Promise<T>): Promise<T>;
  /** As `lend`, with the driver's errors turned into the store's. */
  ask<T>(task: (connection: Connection) => Promise<T>): Promise<T>;
  /** Lets no more task begin, and ends the connections: idle ones now, used ones with their task. Idempotent. */
  close(): void;
  /** As `close`, but ends the used ones at once. */
  abort(): void;
}

/** Makes at most `max` connections, none open yet. */
export function createConnections(driver: MysqlDriver, location: Location, max: number): Connections {
  const idle: Connection[] = [];
  const used = new Set<Connection>();
  const places = createPlaces(max, location.name);
  let closed = false;

  function popIdle(): Connection | undefined {
    for (let connection = idle.pop(); connection; connection = idle.pop()) if (connection.usable) return connection;
    return undefined;
  }

  async function open(): Promise<Connection> {
    try {
      return await openConnection(driver, location);
    } catch (error) {
      const failure = storeError(error, location.name);
      // Where one cannot connect, the others cannot either: they are not kept waiting one after another.
      places.refuse(failure);
      throw failure;
    }
  }

  async function lend<T>(task: (connection: Connection) => Promise<T>): Promise<T> {
    if (closed) throw new SpillwayError("store-closed");
    await places.take();
    try {
      return await useOne(popIdle() ?? (await open()), task);
    } catch (error) {
      // If one connection is lost, so are the others: none of them shall cost another timeout.
      if (!isServerError(error)) for (const other of idle.splice(0)) other.destroy();
      throw error;
    } finally {
      places.giveBack();
    }
  }

  async function useOne<T>(connection: Connection, task: (connection: Connection) => Promise<T>): Promise<T> {
    used.add(connection);
    try {
      const result = await task(connection);
      if (closed) connection.close();
      else if (connection.usable) idle.push(connection);
      return result;
    } catch (error) {
      connection.destroy();
      throw error;
    } finally {
      used.delete(connection);
    }
  }

  function close(): void {
    closed = true;
    for (const connection of idle.splice(0)) connection.close();
    places.refuse(new SpillwayError("store-closed"));
  }

  return {
    lend,
    async ask(task) {
      try {
        return await lend(task);
      } catch (error) {
        throw storeError(error, location.name);
      }
    },
    close,
    abort() {
      close();
      for (const connection of used) connection.destroy();
    },
  };
}
