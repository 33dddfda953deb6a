import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { LogStore } from "../../../src/log/log.ts";
import { createRedisStore } from "../../../src/log/redis/index.ts";
import { type Logger, silentLogger } from "../../../src/util/logger.ts";
import { freePort } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";
import { type RedisServer, startRedis } from "../../support/redis.ts";
import { selfSigned } from "../../support/self-signed.ts";
import { appendSurely, contentOf, event, everything } from "../../support/store-nodes.ts";
import { openNode, serverForTest } from "./nodes.ts";

test("a password is used, and a wrong one is refused without showing it", async () => {
  const server = await serverForTest({ "requirepass": "right", "enable-debug-command": "no" });
  const url = (password: string): string => `redis://:${password}@127.0.0.1:${server.port}`;
  const node = await openNode(url("right"));
  await expect(node.log.append([event("1")])).resolves.toMatchObject({ last: 1 });
  const refused = createRedisStore({ url: url("wrong-one"), node: "b" });
  await expect(refused).rejects.toMatchObject({ code: "store-unavailable" });
  const error: unknown = await refused.catch((reason: unknown) => reason);
  expect(String(error)).toContain(`127.0.0.1:${server.port}`);
  expect(String(error)).not.toContain("wrong-one");
});

test("an unreachable server is an error at startup", async () => {
  const port = await freePort();
  const opening = createRedisStore({ url: `redis://127.0.0.1:${port}`, node: "a" });
  await expect(opening).rejects.toMatchObject({ code: "store-unavailable" });
});

test("TLS is used, with a custom certificate in the driver's options", async () => {
  const { key, cert } = selfSigned();
  const port = await freePort();
  const server = await serverForTest();
  await writeFile(join(server.folder, "key.pem"), key);
  await writeFile(join(server.folder, "cert.pem"), cert);
  for (const [name, value] of [
    ["tls-cert-file", join(server.folder, "cert.pem")],
    ["tls-key-file", join(server.folder, "key.pem")],
    ["tls-auth-clients", "no"],
    ["tls-port", String(port)],
  ]) {
    await server.command("CONFIG", "SET", name!, value!);
  }
  const url = `rediss://localhost:${port}`;
  await expect(createRedisStore({ url, node: "a" })).rejects.toMatchObject({ code: "store-unavailable" });
  const node = await openNode(url, "a", { client: { socket: { ca: cert } } });
  await expect(node.log.append([event("1")])).resolves.toMatchObject({ last: 1 });
});

test("with wait, an append only resolves once a replica has it", async () => {
  const master = await serverForTest();
  const replica = await serverForTest({ replicaof: `127.0.0.1 ${master.port}` });
  await inSync(replica);
  const node = await openNode(`${master.url}?wait=1`);
  await node.log.append([event("1")]);
  expect(await replica.command("HGET", "{spillway:s}:meta", "head")).toBe("1");
  await replica.pause(true);
  let resolved = false;
  const appended = node.log.append([event("2")]).then(() => (resolved = true));
  await eventually(
    async () => (await master.command("HGET", "{spillway:s}:meta", "head")) === "2",
    "the event on the master",
  );
  expect(resolved).toBe(false);
  await replica.pause(false);
  await appended;
  expect(await replica.command("HGET", "{spillway:s}:meta", "head")).toBe("2");
  expect(await contentOf(node.log)).toHaveLength(2);
});

test("a replica is not used as the master", async () => {
  const master = await serverForTest();
  const replica = await serverForTest({ replicaof: `127.0.0.1 ${master.port}` });
  await expect(createRedisStore({ url: replica.url, node: "a" })).rejects.toMatchObject({ code: "store-unavailable" });
});

test("after a failover the nodes continue at the master that the Sentinels name, and no confirmed event is lost", async () => {
  const master = await serverForTest();
  const replica = await serverForTest({ replicaof: `127.0.0.1 ${master.port}` });
  await inSync(replica);
  const sentinel = await startSentinel(master);
  const url = `redis-sentinel://127.0.0.1:${sentinel.port}?group=main&wait=1`;
  const a = await openNode(url, "a");
  const b = await openNode(`redis-sentinel://127.0.0.1:${sentinel.port}?group=main`, "b");
  await a.log.append([event("1"), event("2")]);
  await eventually(
    async () => ((await sentinel.command("SENTINEL", "replicas", "main")) as unknown[]).length === 1,
    "the replica's discovery",
  );
  await master.kill();
  // Where only one server is left, nothing can be waited for.
  expect(await appendSurely(b.log, [event("3")])).toBe(3);
  await eventually(() => a.seen.length === 3, "the event of the new master");
  expect(a.seen.map(([seq]) => seq)).toEqual([1, 2, 3]);
  expect([a.lost, b.lost]).toEqual([[], []]);
}, 60_000);

test("in a Cluster each log is found on the server that holds it", async () => {
  const servers = [await startCluster(0, 8191), await startCluster(8192, 16383)];
  await servers[0]!.command("CLUSTER", "MEET", "127.0.0.1", String(servers[1]!.port));
  for (const server of servers) {
    await eventually(
      async () => String(await server.command("CLUSTER", "INFO")).includes("cluster_state:ok"),
      "the Cluster",
    );
  }
  const open = async (node: string): Promise<LogStore> => {
    const opened = await createRedisStore({ url: `redis-cluster://127.0.0.1:${servers[0]!.port}`, node });
    onTestFinished(() => opened.close());
    return opened;
  };
  const [store, other] = [await open("a"), await open("b")];
  for (const name of ["a", "b", "c", "d", "e", "f"]) {
    const log = await store.open(name, { retention: everything });
    const heard: string[] = [];
    const there = await other.open(name, { retention: everything });
    there.watch(({ events = [] }) => heard.push(...events.map(({ data }) => data)));
    await log.append([event(name)]);
    await eventually(() => heard.includes(name), "the event on the other node");
    expect((await contentOf(log)).map(({ data }) => data)).toEqual([name]);
    expect(await store.coordination!.acquire(name, 1_000)).toBeDefined();
  }
  const sizes = await Promise.all(servers.map(async (server) => Number(await server.command("DBSIZE"))));
  expect(Math.min(...sizes)).toBeGreaterThan(0);
});

test("settings that lose events are logged", async () => {
  const [safe, weak] = [
    await serverForTest(),
    await serverForTest({ "appendonly": "no", "maxmemory": "100mb", "maxmemory-policy": "allkeys-lru" }),
  ];
  const [quiet, loud]: [string[], string[]] = [[], []];
  const loggerTo = (warnings: string[]): Logger => ({
    ...silentLogger,
    warn: (_, message) => void warnings.push(message),
  });
  await openNode(safe.url, "a", { logger: loggerTo(quiet) });
  await openNode(weak.url, "a", { logger: loggerTo(loud) });
  expect(quiet).toEqual([]);
  expect(loud).toEqual([
    "the server keeps no append-only file: its end loses events (set appendonly yes)",
    "the server removes keys when its memory is full, logs too (set maxmemory-policy noeviction)",
  ]);
});

async function inSync(replica: RedisServer): Promise<void> {
  await eventually(
    async () => String(await replica.command("INFO", "replication")).includes("master_link_status:up"),
    "the replica in sync",
  );
}

async function startSentinel(master: RedisServer): Promise<RedisServer> {
  const sentinel = await startRedis({}, [
    `sentinel monitor main 127.0.0.1 ${master.port} 1`,
    "sentinel down-after-milliseconds main 500",
    "sentinel failover-timeout main 3000",
  ]);
  onTestFinished(() => sentinel.remove());
  return sentinel;
}

async function startCluster(first: number, last: number): Promise<RedisServer> {
  const server = await serverForTest({ "cluster-enabled": "yes", "cluster-node-timeout": "2000" });
  await server.command("CLUSTER", "ADDSLOTSRANGE", String(first), String(last));
  return server;
}
