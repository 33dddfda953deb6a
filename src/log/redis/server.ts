import type { Logger } from "../../util/logger.ts";
import type { Outage } from "../engine/outage.ts";
import type { Connection } from "./connection.ts";
import { createLink, type Link } from "./link.ts";
import { warnOfSettings } from "./persistence.ts";
import type { RedisLog } from "./redis-log.ts";
import type { Route } from "./route.ts";
import { createTail } from "./tail.ts";

/** A server and the logs on it that are open. */
export interface Server {
  /** For appends, leases and retention. */
  readonly writer: Link;
  /** For pages, so that no append waits for them. */
  readonly reader: Link;
  /** Follows a log, and looks on each new connection whether it is still there. */
  add(log: RedisLog): void;
  remove(log: RedisLog): void;
  close(): void;
}

/**
 * Connects to a server.
 * @throws The error of the connection that failed.
 */
export async function openServer(route: Route, place: string, outage: Outage, logger: Logger): Promise<Server> {
  const logs = new Set<RedisLog>();
  // Before anything else is asked: a server that came back may have lost what this node knows of.
  const check = async (connection: Connection): Promise<void> => {
    await Promise.all([...logs].map((log) => log.check(connection)));
  };
  const link = (prepare: (connection: Connection) => Promise<void>): Link =>
    createLink({ connect: route.connect, prepare, outage });

  const writer = link(check);
  const reader = link(check);
  const follower = link(async (connection) => {
    tail.connected(Number(await connection.send(["CLIENT", "ID"])));
    await check(connection);
  });
  const tail = createTail(follower, writer, outage);

  function close(): void {
    tail.stop();
    for (const each of [writer, reader, follower]) each.close();
  }

  try {
    await Promise.all([writer.start(), reader.start(), follower.start()]);
    await warnOfSettings(writer, place, logger);
  } catch (error) {
    close();
    throw error;
  }
  return {
    writer,
    reader,
    add(log) {
      logs.add(log);
      tail.add(log);
    },
    remove(log) {
      logs.delete(log);
      tail.remove(log);
    },
    close,
  };
}
