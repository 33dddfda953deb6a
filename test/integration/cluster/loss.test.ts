import { describe, expect, onTestFinished, test } from "vitest";
import { startCluster, type Cluster } from "../../support/cluster.ts";
import { eventually } from "../../support/reader.ts";
import { startRedis, type RedisServer } from "../../support/redis.ts";
import { engines } from "../../support/shared-engines.ts";

const lease = 2000;

async function startOn(server: RedisServer): Promise<Cluster> {
  onTestFinished(() => server.remove());
  const cluster = await startCluster({ urls: [server.url, server.url], lease });
  onTestFinished(() => cluster.close());
  cluster.follow(8);
  await cluster.progress(100);
  return cluster;
}

/** Checks that every client got one reset, and then the whole new log. */
async function expectOneReset(cluster: Cluster): Promise<void> {
  await eventually(() => cluster.readers.every(({ faults }) => faults.length >= 2), "everyone's reset");
  await cluster.progress(100);
  const last = await cluster.finish();
  for (const reader of cluster.readers) {
    expect(reader.faults).toEqual([expect.stringMatching(/^spillway\.reset /), expect.stringMatching(/^1 after \d+$/)]);
    expect(reader.last).toBe(last);
  }
}

describe.runIf(engines.some(({ name }) => name === "redis"))("on Redis", () => {
  test("a flushed server is announced to every client by one reset, and all events are sent again", async () => {
    const server = await startRedis();
    const cluster = await startOn(server);
    await server.command("FLUSHALL");
    await expectOneReset(cluster);
  });

  test("a server that comes back without its latest events is announced in the same way", async () => {
    const server = await startRedis({ appendonly: "no" });
    const cluster = await startOn(server);
    await server.command("SAVE");
    await cluster.progress(100);
    await server.kill();
    await server.start();
    await expectOneReset(cluster);
  });
});
