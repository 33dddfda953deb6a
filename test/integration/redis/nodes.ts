import { onTestFinished } from "vitest";
import { createRedisStore, type RedisStoreOptions } from "../../../src/log/redis/index.ts";
import { type RedisServer, startRedis } from "../../support/redis.ts";
import { openNodeOf, type Node } from "../../support/store-nodes.ts";

/** Starts a server that is closed with the test. */
export async function serverForTest(settings?: Readonly<Record<string, string>>): Promise<RedisServer> {
  const server = await startRedis(settings);
  onTestFinished(() => server.remove());
  return server;
}

/** Opens a node on it. */
export function openNode(url: string, node = "a", options: Partial<RedisStoreOptions> = {}): Promise<Node> {
  return openNodeOf((onReset) => createRedisStore({ url, node, onReset, ...options }));
}
