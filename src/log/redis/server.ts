import type { Logger } from "../../util/logger.ts";
import type { Outage } from "../engine/outage.ts";
import type { Connection } from "./connection.ts";
import { createLink, type Link } from "./link.ts";
import { checkLog, type FollowedLog } from "./log-scripts.ts";
import { warnOfSettings } from "./persistence.ts";
import type { Route } from "./route.ts";
import { createTail } from "./tail.ts";

/** A server and the logs on it that are open. */
export interface Server {
  /** For appends, leases and retention. */
  readonly writer: Link;
  /** For pages, so that no append waits for them. */
  readonly reader: Link;
  /** Follows a log, and checks on each new connection, and every second, that it is still there. Returns the way to stop it. */
  follow(log: FollowedLog): () => void;
  /** The logs that are followed. */
  readonly followed: ReadonlySet<FollowedLog>;
  close(): void;
}

/** How often logs are checked, in ms: what is trimmed or lost does not show in the tail. */
const checkInterval = 1_000;

/**
 * Connects to a server.
 * @throws The error of the connection that failed.
 */
export async function openServer(route: Route, place: string, outage: Outage, logger: Logger): Promise<Server> {
  const followed = new Set<FollowedLog>();
  let checking = false;
  // Before anything else is asked: a server that came back may have lost what this node knows of.
  const check = async (connection: Connection): Promise<void> => {
    await Promise.all(Array.from(followed, (log) => checkLog(connection, log)));
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

  async function checkAll(): Promise<void> {
    if (checking) return;
    checking = true;
    // While the server is away its connections say so.
    await Promise.allSettled(Array.from(followed, (log) => checkLog(writer, log)));
    checking = false;
  }

  const timer = setInterval(() => void checkAll(), checkInterval);
  timer.unref();

  function close(): void {
    clearInterval(timer);
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
    followed,
    follow(log) {
      followed.add(log);
      tail.add(log);
      return () => {
        followed.delete(log);
        tail.remove(log);
      };
    },
    close,
  };
}
