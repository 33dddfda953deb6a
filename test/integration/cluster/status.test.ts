import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCluster, type Cluster, type ClusterNode, type NodeStatus } from "../../support/cluster.ts";
import { valueOf } from "../../support/exposition.ts";
import { throughPort } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";
import { engines, type EnginePlace } from "../../support/shared-engines.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";

const lease = 2000;
const timeout = 60_000;

interface Counts {
  readonly leader: number;
  /** The number of leases taken in total, and of those still held. */
  readonly taken: number;
  readonly held: number;
  /** Number of received batches, and of those that took longer than a second. */
  readonly batches: number;
  readonly late: number;
  readonly appends: number;
  readonly connected: number;
  readonly reconnects: number;
}

/** The cluster metrics of a node. */
async function countsOf(node: ClusterNode): Promise<Counts> {
  const metrics = await node.metrics();
  const of = (name: string, labels = {}): number => valueOf(metrics, name, { stream: "numbers", ...labels })!;
  const changes = (change: string): number => of("spillway_lease_changes_total", { change });
  const batches = of("spillway_tail_latency_seconds_count");
  return {
    leader: of("spillway_leader"),
    taken: changes("taken"),
    held: changes("taken") - changes("lost") - changes("released"),
    batches,
    late: batches - of("spillway_tail_latency_seconds_bucket", { le: "1" }),
    appends: of("spillway_log_append_seconds_count"),
    connected: valueOf(metrics, "spillway_store_connected")!,
    reconnects: valueOf(metrics, "spillway_store_reconnects_total")!,
  };
}

describe.each(engines)("on $name", (engine) => {
  let place: EnginePlace;
  /** Between each node and the engine. */
  let proxies: TcpProxy[];
  let cluster: Cluster;

  beforeAll(async () => {
    place = engine.openPlace();
    const port = Number(new URL(place.url).port);
    proxies = await Promise.all([startTcpProxy(port), startTcpProxy(port)]);
    cluster = await startCluster({ urls: proxies.map((proxy) => throughPort(place.url, proxy.port)), lease });
    cluster.follow(2);
  }, timeout);

  afterAll(async () => {
    await cluster?.close();
    for (const proxy of proxies) await proxy.close();
    await place.remove();
  });

  async function findNodes(): Promise<{ leader: ClusterNode; follower: ClusterNode; toFollower: TcpProxy }> {
    const leader = await cluster.leader();
    const follower = cluster.nodes.find((node) => node !== leader)!;
    return { leader, follower, toFollower: proxies[cluster.nodes.indexOf(follower)]! };
  }

  test("both nodes report the leader and the latency of events", { timeout }, async () => {
    const { leader, follower } = await findNodes();
    await cluster.progress(20);
    const states = (): Promise<NodeStatus[]> => Promise.all([leader.status(), follower.status()]);
    await eventually(async () => (await states()).every((state) => state.lease.holder === leader.name), "the holder");
    const [led, followed] = await states();
    expect([led!.leader, followed!.leader]).toEqual([true, false]);
    expect(followed!.lease).toEqual(led!.lease);
    for (const { replication } of [led!, followed!]) {
      expect(replication).toEqual({ connected: true, lag: expect.any(Number) as number, reconnects: 0 });
      expect(replication.lag).toBeGreaterThanOrEqual(0);
    }
    const counts = await Promise.all([leader, follower].map(countsOf));
    expect(counts).toMatchObject([
      { leader: 1, held: 1, connected: 1, reconnects: 0 },
      { leader: 0, held: 0, connected: 1, reconnects: 0 },
    ]);
    for (const { batches } of counts) expect(batches).toBeGreaterThan(0);
    expect(counts[0]!.appends).toBeGreaterThan(0);
  });

  test(
    "a node that is cut off from the engine reports it until it reconnects, and the reconnect is counted",
    { timeout },
    async () => {
      const { leader, follower, toFollower } = await findNodes();
      const before = await countsOf(follower);
      toFollower.refuse(true);
      toFollower.reset();
      await eventually(async () => !(await follower.status()).replication.connected, "the loss of the engine");
      const lag = (await follower.status()).replication.lag!;
      await eventually(async () => (await follower.status()).replication.lag! > lag + 1.5, "a lag that grows");
      expect(await countsOf(follower)).toMatchObject({ connected: 0, reconnects: before.reconnects });
      expect((await leader.status()).replication).toMatchObject({ connected: true, reconnects: 0 });
      expect(await countsOf(leader)).toMatchObject({ connected: 1 });

      toFollower.refuse(false);
      await eventually(async () => (await follower.status()).replication.connected, "the engine again");
      const { replication } = await follower.status();
      expect(replication.reconnects).toBeGreaterThan(before.reconnects);
      await cluster.progress(20);
      const after = await countsOf(follower);
      expect(after.connected).toBe(1);
      expect(after.reconnects).toBeGreaterThan(before.reconnects);
      // What was appended meanwhile came late.
      expect(after.late).toBeGreaterThan(before.late);
      await eventually(async () => (await follower.status()).replication.lag! < 1.5, "a small lag");
    },
  );

  test("after the leader is killed, the other node leads and has counted the takeover", { timeout }, async () => {
    const { leader, follower } = await findNodes();
    const before = await countsOf(follower);
    expect(before).toMatchObject({ leader: 0 });
    await leader.kill("SIGKILL");
    await cluster.leader([follower]);
    expect(await countsOf(follower)).toMatchObject({ leader: 1, taken: before.taken + 1, held: 1 });
    await eventually(
      async () => (await follower.status()).lease.holder === follower.name,
      "its own lease in the status",
    );
  });
});
