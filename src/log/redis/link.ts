import { SpillwayError } from "../../errors.ts";
import type { Outage } from "../engine/outage.ts";
import { keepConnected } from "../engine/reconnect.ts";
import type { Connection } from "./connection.ts";
import type { Command, Reply } from "./driver.ts";
import { RefusedError, UnansweredError } from "./failure.ts";

/** A connection that is made anew whenever it ends. */
export interface Link {
  /** Resolves once it is connected for the first time; rejects, and gives up, if that fails. */
  start(): Promise<void>;
  /**
   * The connection; waits up to 2 s for one.
   * @throws {SpillwayError} `store-unavailable`: nothing was sent; `store-closed`.
   */
  connection(): Promise<Connection>;
  /** Sends a command, as {@link Connection} does. */
  send(command: Command, patience?: number): Promise<Reply>;
  /** Sends commands that see one state of the server, and resolves to their answers. */
  transact(commands: readonly Command[]): Promise<readonly Reply[]>;
  /** Ends the connection, and makes no more. */
  close(): void;
}

/** How a link is made. */
export interface LinkSettings {
  /** Makes a connection, to wherever the server is now. */
  connect(): Promise<Connection>;
  /** Does what must be done on every connection before it serves. */
  prepare(connection: Connection): Promise<void>;
  readonly outage: Outage;
}

/** How long a caller waits for a connection, in ms. */
const patience = 2_000;

/** Makes a link, not connected yet. */
export function createLink({ connect, prepare, outage }: LinkSettings): Link {
  const closing = new AbortController();
  let current: Connection | undefined;
  const waiting = new Set<() => void>();

  async function connectOnce(): Promise<Connection> {
    const connection = await connect();
    try {
      if (closing.signal.aborted) throw new SpillwayError("store-closed");
      await prepare(connection);
    } catch (error) {
      connection.end("it cannot be used");
      throw error;
    }
    return connection;
  }

  /** Serves callers by a connection until it has ended: the first one is made before. */
  async function serve(first: Connection): Promise<void> {
    let next: Connection | undefined = first;
    const attempt = async (onConnected: () => void): Promise<never> => {
      const connection = next ?? (await connectOnce());
      next = undefined;
      current = connection;
      onConnected();
      for (const wake of waiting) wake();
      const reason = await connection.ended;
      current = undefined;
      throw new Error(reason);
    };
    const describe = (error: unknown): object => ({ reason: (error as Error).message });
    await keepConnected({ attempt, outage, describe, signal: closing.signal });
  }

  async function whenConnected(): Promise<Connection> {
    if (!current && !closing.signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, patience);
        waiting.add(wake);
      });
    }
    if (closing.signal.aborted) throw new SpillwayError("store-closed");
    if (!current) throw new SpillwayError("store-unavailable", "the log's server cannot be reached");
    return current;
  }

  return {
    async start() {
      void serve(await connectOnce());
    },
    connection: whenConnected,
    send: async (command, bound) => (await whenConnected()).send(command, bound),
    transact: async (commands) => transact(await whenConnected(), commands),
    close() {
      closing.abort();
      current?.end("the store was closed");
      for (const wake of waiting) wake();
    },
  };
}

/** Sent in one turn, so that nothing of others comes in between. */
async function transact(connection: Connection, commands: readonly Command[]): Promise<readonly Reply[]> {
  const answers = [["MULTI"], ...commands, ["EXEC"]].map((command) => connection.send(command));
  const results = await Promise.allSettled(answers);
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
  const replies = (results.at(-1) as PromiseFulfilledResult<Reply>).value;
  if (!Array.isArray(replies)) throw new UnansweredError("the server gave no answer to a transaction");
  for (const reply of replies as readonly unknown[]) {
    if (reply instanceof Error) throw new RefusedError(reply.message, { cause: reply });
  }
  return replies as readonly Reply[];
}
