import { driverMissing } from "../../errors.ts";

/** A command and its arguments. */
export type Command = readonly (string | Buffer)[];

/** An answer, as the protocol's second version has it: texts are bytes. */
export type Reply = string | number | Buffer | null | readonly Reply[];

/** The part of a client of `@redis/client` that is used. */
export interface RedisClient {
  connect(): Promise<unknown>;
  sendCommand(command: Command, options: { readonly typeMapping: Readonly<Record<number, unknown>> }): Promise<unknown>;
  on(event: "error" | "end", listener: (error?: Error) => void): unknown;
  destroy(): void;
}

/** The part of the package `@redis/client` that is used. */
export interface RedisDriver {
  createClient(options: object): RedisClient;
  readonly RESP_TYPES: { readonly BLOB_STRING: number };
  /** What the server answered instead of a result. */
  readonly ErrorReply: new () => Error;
}

const packageName = "@redis/client";

/**
 * Loads the driver.
 * @throws {SpillwayError} `driver-missing`, naming the package to install.
 */
export async function loadDriver(): Promise<RedisDriver> {
  try {
    return (await import(packageName)) as RedisDriver;
  } catch (cause) {
    throw driverMissing("Redis store", [packageName], cause);
  }
}
