import { randomUUID } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { type EngineServer, startEngine } from "./engine-server.ts";
import { freePort } from "./ports.ts";

/** The server that all tests share. Do not stop or reconfigure it, and do not use the streams of other tests. */
export const natsUrl: string = process.env["TEST_NATS_URL"] ?? "nats://127.0.0.1:4222";

/** Unique names for the stores of one test. */
export interface NatsPlace {
  readonly url: string;
  /** The prefix of all its names. */
  readonly prefix: string;
  remove(): Promise<void>;
}

/** Uses a server's JetStream on a separate connection. */
export async function withJetStream<T>(url: string, work: (manager: JetStreamManager) => Promise<T>): Promise<T> {
  const connection = await connect({ servers: new URL(url).host });
  try {
    return await work(await jetstreamManager(connection));
  } finally {
    await connection.close();
  }
}

/** Makes a place at `server`. */
export function openNatsPlace(server: string = natsUrl): NatsPlace {
  const prefix = `t-${randomUUID().slice(0, 18)}`;
  return {
    url: `${server}?prefix=${prefix}`,
    prefix,
    remove: () =>
      withJetStream(server, async (manager) => {
        for await (const name of manager.streams.names(`${prefix}.>`)) await manager.streams.delete(name);
      }),
  };
}

/** A separate server for one test. */
export interface NatsServer extends EngineServer {
  /** Uses its JetStream. */
  use<T>(work: (manager: JetStreamManager) => Promise<T>): Promise<T>;
}

/** Starts a server with JetStream on a free port; `settings` are more arguments of nats-server. */
export async function startNats(...settings: readonly string[]): Promise<NatsServer> {
  const port = await freePort();
  const home = await mkdtemp(join(tmpdir(), "spillway-nats-"));
  const folder = join(home, "data");
  const url = `nats://127.0.0.1:${port}`;
  const args = ["-js", "-sd", folder, "-a", "127.0.0.1", "-p", String(port), ...settings];
  const isReady = (): Promise<boolean> =>
    withJetStream(url, () => Promise.resolve(true)).catch((error: unknown) => String(error).includes("Authorization"));

  const server = await startEngine({ home, folder, program: "nats-server", args: () => args, isReady });
  return { port, url, use: (work) => withJetStream(url, work), ...server };
}
