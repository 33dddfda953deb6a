import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { openStore } from "../../../src/config/open-store.ts";
import { silentLogger } from "../../../src/util/logger.ts";
import { startCluster, type Cluster, type ClusterNode } from "../../support/cluster.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { engines } from "../../support/shared-engines.ts";

const lease = 2000;

async function subscribe({ url }: ClusterNode): Promise<Reading> {
  const reading = read(await fetch(`${url}/streams/numbers?after=earliest`));
  await reading.until(({ events }) => events.length > 0);
  return reading;
}

async function untilOpen(cluster: Cluster, open: number): Promise<void> {
  await eventually(async () => (await cluster.source()).open === open, `${open} upstream connections`);
}

async function leaders({ nodes }: Cluster): Promise<number> {
  const states = await Promise.all(nodes.map((node) => node.status()));
  return states.filter(({ leader }) => leader).length;
}

describe.each(engines)("on $name", (engine) => {
  test("the upstream is connected while a client of any node subscribes, and only once", async () => {
    const place = engine.openPlace();
    onTestFinished(() => place.remove());
    const cluster = await startCluster({
      urls: [place.url, place.url],
      lease,
      source: { retry: 10 },
      upstream: { connect: "on-demand", linger: "200ms" },
    });
    onTestFinished(() => cluster.close());
    const [first, second] = cluster.nodes as [ClusterNode, ClusterNode];

    await delay(lease);
    expect((await cluster.source()).connections).toEqual([]);
    expect(await leaders(cluster)).toBe(0);

    const here = await subscribe(first);
    await untilOpen(cluster, 1);
    expect(await cluster.leader()).toBe(first);
    const there = await subscribe(second);
    await cluster.control({ emit: 3 });
    for (const reading of [here, there]) await reading.until(() => reading.data().length === 3);

    // It stays with the leader, because a client on the other node needs it.
    await here.cancel();
    await eventually(async () => (await first.status()).subscribers === 0, "no subscriber on the leader");
    await delay(lease);
    await cluster.control({ emit: 1 });
    await there.until(() => there.data().length === 4);
    expect((await cluster.source()).connections).toHaveLength(1);

    await there.cancel();
    await untilOpen(cluster, 0);
    await eventually(async () => (await leaders(cluster)) === 0, "no leader");
    expect((await cluster.source()).connections).toHaveLength(1);

    const again = await subscribe(second);
    await untilOpen(cluster, 1);
    await cluster.control({ emit: 1 });
    await again.until(() => again.data().length === 5);
    expect(await cluster.leader()).toBe(second);
    expect((await cluster.source()).connections).toHaveLength(2);
    await again.cancel();
  });

  test("a node that stops properly withdraws the demand of its clients", async () => {
    const place = engine.openPlace();
    onTestFinished(() => place.remove());
    const upstream = { connect: "on-demand", linger: "1h" };
    const cluster = await startCluster({ urls: [place.url], lease: 600_000, source: { retry: 10 }, upstream });
    onTestFinished(() => cluster.close());
    const [node] = cluster.nodes as [ClusterNode];
    const store = await openStore({ store: place.url, synchronous: "full" }, { logger: silentLogger });
    onTestFinished(() => store.close());

    await subscribe(node);
    await untilOpen(cluster, 1);
    expect(await store.coordination!.hasDemand("numbers")).toBe(true);
    await node.kill("SIGTERM");
    expect(await store.coordination!.hasDemand("numbers")).toBe(false);
    expect(await store.coordination!.holder("numbers")).toBeUndefined();
  });
});
