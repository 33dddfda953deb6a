import { describe, expect, onTestFinished, test } from "vitest";
import { startCluster, type Cluster, type ClusterNode } from "../../support/cluster.ts";
import { engines, type Engine } from "../../support/shared-engines.ts";
import { patience, testPatience } from "../../support/patience.ts";
import { eventually } from "../../support/reader.ts";

/** How often the leader is killed: `KILL_ROUNDS=25 npx vitest run test/integration/cluster/kill.test.ts`. */
const rounds = Number(process.env["KILL_ROUNDS"] ?? 1);
const lease = 2000;

async function startOn(engine: Engine): Promise<Cluster> {
  const place = engine.openPlace();
  onTestFinished(() => place.remove());
  const cluster = await startCluster({ urls: [place.url, place.url], lease });
  onTestFinished(() => cluster.close());
  cluster.follow(6);
  return cluster;
}

/** Stops the leader, and resolves to the ms until another node has the upstream open. */
async function replaceLeader(cluster: Cluster, signal: NodeJS.Signals, ending: number | string): Promise<number> {
  await cluster.progress(1 + Math.floor(Math.random() * 60));
  const leader = await cluster.leader();
  const others = cluster.nodes.filter((node) => node !== leader);
  const begun = performance.now();
  const ended = leader.kill(signal);
  await cluster.leader(others);
  const time = performance.now() - begun;
  expect(await ended).toBe(ending);
  await leader.start();
  return time;
}

function fencesOf(nodes: readonly ClusterNode[]): Promise<Array<number | null>> {
  return Promise.all(nodes.map(async (node) => (await node.status()).lease.fence));
}

const shown = (times: readonly number[]): string => times.map((time) => time.toFixed(0)).join(", ");

describe.each(engines)("on $name", (engine) => {
  test(
    `kill -9 of the leader, ${rounds} times: every client ends with exactly 1..M`,
    { timeout: testPatience + rounds * 10_000 },
    async ({ annotate }) => {
      const cluster = await startOn(engine);
      const times: number[] = [];
      for (let round = 0; round < rounds; round++) times.push(await replaceLeader(cluster, "SIGKILL", "SIGKILL"));
      await cluster.finishWithin(lease);
      for (const time of times) expect(time).toBeLessThan(lease + patience);
      // A node that was just started has not read the lease yet.
      await eventually(async () => (await fencesOf(cluster.nodes)).every((fence) => fence !== null && fence > rounds));
      await annotate(`${engine.name}: another leader after kill -9 in ms: ${shown(times)}`);
    },
  );

  test(
    `SIGTERM of the leader, ${rounds} times: it exits with 0, and every client ends with exactly 1..M`,
    { timeout: testPatience + rounds * 10_000 },
    async ({ annotate }) => {
      const cluster = await startOn(engine);
      const times: number[] = [];
      for (let round = 0; round < rounds; round++) times.push(await replaceLeader(cluster, "SIGTERM", 0));
      await cluster.finishWithin(lease);
      for (const time of times) expect(time).toBeLessThan(patience);
      await annotate(`${engine.name}: another leader after SIGTERM in ms: ${shown(times)}`);
    },
  );
});
