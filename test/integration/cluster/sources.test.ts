import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createClient } from "@redis/client";
import { describe, expect, onTestFinished, test } from "vitest";
import type { UpstreamConfig } from "spillway";
import { startCluster, type ClusterNode } from "../../support/cluster.ts";
import { portOf } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";
import { redisUrl } from "../../support/redis.ts";
import { engines } from "../../support/shared-engines.ts";
import { numbersTo } from "../../support/store-nodes.ts";

const lease = 1000;

/** The numbers in the log as a node serves them, and `gap` where the log has a gap. */
async function logOf({ url }: ClusterNode): Promise<ReadonlyArray<number | "gap">> {
  const log: Array<number | "gap"> = [];
  for (let after = "earliest"; ;) {
    const headers = { accept: "application/json", connection: "close" };
    const response = await fetch(`${url}/streams/numbers?after=${after}&limit=1000`, { headers });
    const { events, next, gap } = (await response.json()) as {
      readonly events: ReadonlyArray<{ readonly data: string }>;
      readonly next: string;
      readonly gap: object | null;
    };
    if (gap) log.push("gap");
    if (events.length === 0) return log;
    for (const { data } of events) log.push((JSON.parse(data) as { readonly n: number }).n);
    after = next;
  }
}

/** Starts two nodes with a source. Resolves to a function that kills the leader and resolves to the node that succeeds it. */
async function startNodes(upstream: UpstreamConfig, url: string): Promise<() => Promise<ClusterNode>> {
  const cluster = await startCluster({ urls: [url, url], lease, upstream: { ...upstream } });
  onTestFinished(() => cluster.close());
  return async () => {
    const leader = await cluster.leader();
    await eventually(async () => (await logOf(leader)).length >= 50, "50 events");
    await leader.kill("SIGKILL");
    return cluster.leader(cluster.nodes.filter((node) => node !== leader));
  };
}

/** An API that lists the numbers after `?since=`, up to a last one. */
async function startApi(): Promise<{ readonly url: string; readonly asked: number[]; last: number }> {
  const api = { url: "", asked: [] as number[], last: 0 };
  const server = createServer(({ url = "" }, response) => {
    const since = Number(new URL(url, "http://localhost").searchParams.get("since") ?? 0);
    const items = Array.from({ length: Math.min(20, api.last - since) }, (_, index) => ({ n: since + index + 1 }));
    api.asked.push(since);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ items, next: since + items.length }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => server.close().closeAllConnections());
  api.url = `http://127.0.0.1:${portOf(server)}/`;
  return api;
}

describe.runIf(engines.some(({ name }) => name === "redis"))("after the end of the leader, another node", () => {
  const { openPlace } = engines.find(({ name }) => name === "redis")!;

  test("continues to poll at the cursor, and stores each item once", async () => {
    const place = openPlace();
    onTestFinished(() => place.remove());
    const api = await startApi();
    const poll = { every: "20ms", items: "/items", cursor: { from: "/next", query: "since" } };
    const failOver = await startNodes({ url: api.url, poll }, place.url);
    api.last = 50;
    const next = await failOver();
    const requests = api.asked.length;
    api.last = 100;
    await eventually(async () => (await logOf(next)).length >= 100, "100 events");
    expect(await logOf(next)).toEqual(numbersTo(100));
    expect(Math.min(...api.asked.slice(requests))).toBeGreaterThanOrEqual(50);
  });

  test("subscribes to Redis Pub/Sub, and one gap marks the messages in between", async () => {
    const place = openPlace();
    onTestFinished(() => place.remove());
    const name = `test-${randomUUID()}`;
    const publisher = createClient({ url: redisUrl });
    await publisher.connect();
    let last = 0;
    const timer = setInterval(() => void publisher.publish(name, `{"n":${++last}}`), 10);
    onTestFinished(async () => {
      clearInterval(timer);
      await publisher.close();
    });
    const failOver = await startNodes({ url: redisUrl, redis: { subscribe: [name] } }, place.url);
    const next = await failOver();
    let log: ReadonlyArray<number | "gap"> = [];
    await eventually(async () => {
      log = await logOf(next);
      return log.includes("gap") && log.at(-1) !== "gap";
    }, "an event after the gap");
    const at = log.indexOf("gap");
    const [before, after] = [log.slice(0, at) as number[], log.slice(at + 1) as number[]];
    for (const part of [before, after]) expect(part).toEqual(part.map((_, index) => part[0]! + index));
    expect(after[0]).toBeGreaterThan(before.at(-1)! + 1);
  });
});
