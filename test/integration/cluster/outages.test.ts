import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { startCluster, type Cluster, type ClusterNode } from "../../support/cluster.ts";
import { throughPort } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";
import { engines, type Engine } from "../../support/shared-engines.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";

/** The number of outages of each kind: `KILL_ROUNDS=10 npx vitest run test/integration/cluster/outages.test.ts`. */
const rounds = Number(process.env["KILL_ROUNDS"] ?? 1);
const lease = 2000;
const timeout = 60_000 + rounds * 15_000;

async function startOn(urls: readonly string[]): Promise<Cluster> {
  const cluster = await startCluster({ urls, lease });
  onTestFinished(() => cluster.close());
  cluster.follow(6);
  return cluster;
}

function placeOn(engine: Engine): string {
  const place = engine.openPlace();
  onTestFinished(() => place.remove());
  return place.url;
}

const others = (cluster: Cluster, node: ClusterNode): ClusterNode[] => cluster.nodes.filter((other) => other !== node);

async function isFollower(node: ClusterNode): Promise<boolean> {
  const { leader, upstream } = await node.status();
  return !leader && upstream.state === "idle";
}

describe.each(engines)("on $name", (engine) => {
  test(
    `a leader that is paused beyond its lease, ${rounds} times, appends nothing when it resumes`,
    { timeout },
    async () => {
      const url = placeOn(engine);
      const cluster = await startOn([url, url]);
      const stillness = lease * 1.5;
      let late = 0;
      for (let round = 0; round < rounds; round++) {
        await cluster.progress(20);
        const leader = await cluster.leader();
        const begun = performance.now();
        leader.pause(true);
        const next = await cluster.leader(others(cluster, leader));
        await delay(stillness - (performance.now() - begun));
        leader.pause(false);
        // While it is paused, nothing closes its connection.
        late = Math.max(late, performance.now() - begun - stillness);
        await eventually(() => isFollower(leader), "the end of what the earlier leader did");
        expect(await cluster.leader()).toBe(next);
      }
      await cluster.progress(20);
      await cluster.finishWithin(lease + late);
    },
  );

  test(`the leader's network hangs or breaks, ${rounds} times: another node takes over`, { timeout }, async () => {
    const url = placeOn(engine);
    const proxies = await Promise.all([1, 2].map(() => startTcpProxy(Number(new URL(url).port))));
    for (const proxy of proxies) onTestFinished(() => proxy.close());
    const cluster = await startOn(proxies.map(({ port }) => throughPort(url, port)));
    const cuts: ReadonlyArray<(proxy: TcpProxy, replaced: () => Promise<void>) => Promise<void>> = [
      hang,
      breakOff,
      cutShort,
    ];
    for (let round = 0; round < rounds * cuts.length; round++) {
      await cluster.progress(20);
      const leader = await cluster.leader();
      await cuts[round % cuts.length]!(proxies[cluster.nodes.indexOf(leader)]!, async () => {
        await cluster.leader(others(cluster, leader));
      });
    }
    await cluster.progress(20);
    await cluster.finishWithin(lease);
  });

  test(`the engine is killed and restarted, ${rounds} times: all events are delivered`, { timeout }, async () => {
    const server = await engine.startServer();
    onTestFinished(() => server.remove());
    const cluster = await startOn([server.url, server.url]);
    for (let round = 0; round < rounds; round++) {
      await cluster.progress(20);
      await server.kill();
      // Some outages are shorter than the lease, some are not.
      await delay(round % 2 === 0 ? lease / 4 : lease * 1.5);
      await server.start();
    }
    await cluster.progress(20);
    for (const node of cluster.nodes) expect((await node.status()).subscribers).toBeGreaterThan(0);
    await cluster.finishWithin(lease);
  });
});

/** Nothing goes through; connections stay. */
async function hang(proxy: TcpProxy, replaced: () => Promise<void>): Promise<void> {
  proxy.stall(true);
  await replaced();
  proxy.stall(false);
}

/** Connections are reset, and new ones refused. */
async function breakOff(proxy: TcpProxy, replaced: () => Promise<void>): Promise<void> {
  proxy.refuse(true);
  proxy.reset();
  await replaced();
  proxy.refuse(false);
}

/** Connections are closed once; the leader may or may not keep its lease. */
async function cutShort(proxy: TcpProxy): Promise<void> {
  proxy.cut();
  await delay(lease / 4);
}
