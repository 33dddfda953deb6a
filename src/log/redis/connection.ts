import type { Command, RedisClient, RedisDriver, Reply } from "./driver.ts";
import { RefusedError, UnansweredError } from "./failure.ts";

/** One connection to a server, from its start to its end: it never reconnects. */
export interface Connection {
  /**
   * Sends a command; commands are answered in the order of the calls. Without an answer within `patience` ms (default: 5000) the
   * connection ends: a request that a broken network swallowed does not wait for ever.
   * @throws {RefusedError} The server's answer is an error.
   * @throws {UnansweredError} The connection ended before the answer.
   */
  send(command: Command, patience?: number): Promise<Reply>;
  /** Ends it. What has no answer yet gets none. */
  end(reason: string): void;
  /** Resolves with the reason once it has ended. */
  readonly ended: Promise<string>;
}

/** How long an answer, and a connection, may take to come, in ms. */
const defaultPatience = 5_000;

/** Connects. */
export async function connect(driver: RedisDriver, options: object): Promise<Connection> {
  const client = driver.createClient(options);
  let resolve: (reason: string) => void = () => {};
  const ended = new Promise<string>((settle) => (resolve = settle));
  const end = (reason: string): void => {
    // The reason comes first: the end of the client says none.
    resolve(reason);
    client.destroy();
  };
  client.on("error", (error) => end(error?.message ?? "the connection failed"));
  client.on("end", () => resolve("the connection ended"));
  const timer = setTimeout(end, defaultPatience, "no answer while connecting");
  const failed = ended.then((reason) => Promise.reject(new UnansweredError(reason)));
  try {
    await Promise.race([client.connect(), failed]);
  } catch (error) {
    end("it cannot be connected to");
    throw error;
  } finally {
    clearTimeout(timer);
    failed.catch(() => {});
  }
  return { send: sender(driver, client, end), end, ended };
}

function sender(driver: RedisDriver, client: RedisClient, end: (reason: string) => void): Connection["send"] {
  const options = { typeMapping: { [driver.RESP_TYPES.BLOB_STRING]: Buffer } };
  return async (command, patience = defaultPatience) => {
    const timer = setTimeout(end, patience, `no answer for ${patience} ms`);
    try {
      return (await client.sendCommand(command, options)) as Reply;
    } catch (error) {
      if (!(error instanceof driver.ErrorReply)) throw new UnansweredError((error as Error).message, { cause: error });
      const refused = new RefusedError(error.message, { cause: error });
      if (refused.misplaced) end(refused.message);
      throw refused;
    } finally {
      clearTimeout(timer);
    }
  };
}
