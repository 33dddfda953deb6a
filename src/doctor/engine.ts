import { connect } from "node:net";
import { fail, ok, type Check } from "./check.ts";
import { readableTime } from "./quantity.ts";

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
