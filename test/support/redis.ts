import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@redis/client";
import { type EngineServer, startEngine } from "./engine-server.ts";
import { freePort } from "./ports.ts";

/** The server that all tests share. Do not flush, stop or reconfigure it. */
export const redisUrl: string = process.env.TEST_REDIS_URL ?? "redis://127.0.0.1:6379";

/** Unique keys for the stores of one test. */
export interface RedisPlace {
  readonly url: string;
  remove(): Promise<void>;
}

/** Makes a place at `server`. */
export function openRedisPlace(server: string = redisUrl): RedisPlace {
  const prefix = `test-${randomUUID()}`;
  return {
    url: `${server}?prefix=${prefix}`,
    async remove() {
      const client = createClient({ url: server });
      await client.connect();
      for await (const keys of client.scanIterator({ MATCH: `{${prefix}:*`, COUNT: 1_000 })) {
        if (keys.length > 0) await client.unlink(keys);
      }
      await client.close();
    },
  };
}

/** A separate server for one test. */
export interface RedisServer extends EngineServer {
  /** The directory of its files. */
  readonly folder: string;
  /** Sends a command on a separate connection. */
  command(...words: string[]): Promise<unknown>;
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
  const home = await mkdtemp(join(tmpdir(), "spillway-redis-"));
  const folder = join(home, "data");
  await mkdir(folder);
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
      // It runs and requires a password.
      return String(error).includes("NOAUTH");
    }
  }

  const server = await startEngine({ home, folder, program: "redis-server", args: () => args, isReady });
  return { port, url: `redis://127.0.0.1:${port}`, folder, command, ...server };
}
