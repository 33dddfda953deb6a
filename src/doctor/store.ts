import { connect } from "node:net";
import { SpillwayError } from "../errors.ts";
import { fail, ok, readableTime, warn, type Check } from "./check.ts";

/**
 * Whether the log that is there can be opened. That another process has it open is how things are while a gateway runs.
 * @param open opens the log as a gateway does, and closes it
 */
export async function checkStore(place: string, open: () => Promise<void>): Promise<Check> {
  try {
    await open();
    return ok("store", `${place} can be opened`);
  } catch (error) {
    const { code, message } = asStoreError(error);
    if (code !== "store-locked")
      return fail("store", `${code}: ${message}`, `see docs/reference/errors.md for ${code}`);
    const advice = "right if that is the gateway; a second one would be refused";
    return warn("store", `another process holds ${place}`, advice);
  }
}

/**
 * Whether a log can be written in the folder.
 * @param write makes a log of its own there, appends an event and removes it; resolves to how long the append took, in ms
 */
export async function checkStoreWrites(folder: string, write: () => Promise<number>): Promise<Check> {
  try {
    return ok("store-write", `an event was durable in ${folder} after ${readableTime(await write())}`);
  } catch (error) {
    const { code, message } = asStoreError(error);
    return fail("store-write", `${code}: ${message}`, `see docs/reference/errors.md for ${code}`);
  }
}

function asStoreError(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof SpillwayError) return error;
  const { code = "store-unavailable", message } = error as NodeJS.ErrnoException;
  return { code, message };
}

/** An engine that keeps the log elsewhere. */
export interface Engine {
  /** As people call it. */
  readonly name: string;
  readonly servers: readonly { readonly host: string; readonly port: number }[];
}

/** How long a server may take to accept a connection, in ms. */
const patience = 5_000;

/** Whether each server of the engine accepts connections. Nothing is sent, so that nothing is changed. */
export function checkEngine({ name, servers }: Engine): Promise<readonly Check[]> {
  return Promise.all(
    servers.map(async ({ host, port }) => {
      const who = `${name} at ${host}:${port}`;
      const startedAt = performance.now();
      const reason = await reach(host, port);
      if (reason === undefined) {
        return ok("store", `${who} accepts connections after ${readableTime(performance.now() - startedAt)}`);
      }
      return fail("store", `${who} cannot be reached (${reason})`, "check the address in store, and that it runs");
    }),
  );
}

/** Resolves to why it cannot be reached; `undefined` if it can. */
function reach(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: patience });
    const end = (reason?: string): void => {
      resolve(reason);
      socket.destroy();
    };
    socket.once("connect", () => end());
    socket.once("timeout", () => end("ETIMEDOUT"));
    socket.once("error", ({ code = "no connection" }: NodeJS.ErrnoException) => end(code));
  });
}
