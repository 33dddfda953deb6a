import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@redis/client";
import { freePort } from "./ports.ts";
import { createServerProgram } from "./server-program.ts";

/** The server that all tests share: never to be flushed, stopped or reconfigured. */
export const redisUrl: string = process.env.TEST_REDIS_URL ?? "redis://127.0.0.1:6379";

/** Keys of their own for the stores of one test. */
export interface RedisPlace {
  readonly url: string;
  remove(): Promise<void>;
}

/** Makes a place on the shared server. */
export function openRedisPlace(): RedisPlace {
  const prefix = `test-${randomUUID()}`;
  return {
    url: `${redisUrl}?prefix=${prefix}`,
    async remove() {
      const client = createClient({ url: redisUrl });
      await client.connect();
      for await (const keys of client.scanIterator({ MATCH: `{${prefix}:*`, COUNT: 1_000 })) {
        if (keys.length > 0) await client.unlink(keys);
      }
      await client.close();
    },
  };
}

/** A server of a test's own. */
export interface RedisServer {
  readonly port: number;
  /** Of the store. */
  readonly url: string;
  /** Sends a command on a connection of its own. */
  command(...words: string[]): Promise<unknown>;
  /** Ends the process at once, as a power cut would, and resolves when it has gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port and folder. */
  start(): Promise<void>;
  /** Stops the process, or lets it go on; resolves once it stands still. */
  pause(on: boolean): Promise<void>;
  /** Where it keeps its files. */
  readonly folder: string;
  /** Ends it and removes its files. */
  remove(): Promise<void>;
}

/**
 * Starts a server on a free port. `settings` are those of redis.conf; default: all is on disk before it is confirmed. With
 * `sentinel`, the lines of its file, it is a Sentinel.
 */
export async function startRedis(
  settings: Readonly<Record<string, string>> = {},
  sentinel?: readonly string[],
): Promise<RedisServer> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), "spillway-redis-"));
  const all = {
    "port": String(port),
    "bind": "127.0.0.1",
    "dir": folder,
    "save": "",
    "appendonly": "yes",
    "appendfsync": "always",
    "enable-debug-command": "local",
    ...settings,
  };
  const file = join(folder, "sentinel.conf");
  if (sentinel) await writeFile(file, [`port ${port}`, "bind 127.0.0.1", `dir ${folder}`, ...sentinel, ""].join("\n"));
  const args = sentinel
    ? [file, "--sentinel"]
    : Object.entries(all).flatMap(([name, value]) => [`--${name}`].concat(value.split(" ")));
  async function command(...words: string[]): Promise<unknown> {
    const client = createClient({ RESP: 2, socket: { host: "127.0.0.1", port, reconnectStrategy: false } });
    client.on("error", () => {});
    await client.connect();
    try {
      return await client.sendCommand(words);
    } finally {
      client.destroy();
    }
  }

  async function isReady(): Promise<boolean> {
    try {
      return (await command("PING")) === "PONG";
    } catch (error) {
      // It is there, and wants a password.
      return String(error).includes("NOAUTH");
    }
  }

  const program = createServerProgram({ program: "redis-server", args: () => args, isReady });
  await program.start();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    folder,
    command,
    kill: () => program.end("SIGKILL"),
    start: program.start,
    pause: program.pause,
    async remove() {
      await program.end("SIGKILL");
      await rm(folder, { recursive: true });
    },
  };
}
