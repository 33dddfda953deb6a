import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCluster, type Cluster, type ClusterNode } from "../../support/cluster.ts";
import { throughPort } from "../../support/ports.ts";
import { read, type Reading } from "../../support/reader.ts";
import { engines, type EnginePlace } from "../../support/shared-engines.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";

describe.each(engines)("on $name", (engine) => {
  let place: EnginePlace;
  /** Between the second node and the engine. */
  let proxy: TcpProxy;
  let cluster: Cluster;
  let first: ClusterNode;
  let second: ClusterNode;

  beforeAll(async () => {
    place = engine.openPlace();
    proxy = await startTcpProxy(Number(new URL(place.url).port));
    cluster = await startCluster({ urls: [place.url, throughPort(place.url, proxy.port)], lease: 2000, source: {} });
    [first, second] = cluster.nodes as [ClusterNode, ClusterNode];
  });

  afterAll(async () => {
    await cluster.close();
    await proxy.close();
    await place.remove();
  });

  async function publish(node: ClusterNode, data: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${node.url}/streams/posts/events`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ data }),
    });
  }

  async function idOf(response: Response): Promise<string> {
    expect(response.status).toBe(200);
    return ((await response.json()) as { readonly ids: readonly string[] }).ids[0]!;
  }

  async function subscribe(node: ClusterNode, lastEventId: string): Promise<Reading> {
    return read(await fetch(`${node.url}/streams/posts`, { headers: { "last-event-id": lastEventId } }));
  }

  const outcome = ({ response }: Reading): string | null => response.headers.get("spillway-resume");

  test("events published on all nodes at once reach everyone in the same order", async () => {
    const start = await idOf(await publish(first, "start"));
    const readings = await Promise.all(
      [first, second, first, second].map(async (node) => read(await fetch(`${node.url}/streams/posts?after=${start}`))),
    );
    const posts = Array.from({ length: 100 }, (_, index) => `post ${index}`);
    const ids = await Promise.all(
      posts.map(async (post, index) => idOf(await publish(index % 2 === 0 ? first : second, post))),
    );
    for (const reading of readings) await reading.until(() => reading.data().length === posts.length);
    const inOrder = ids
      .map((id, index) => ({ number: Number(id.split(".")[1]), post: posts[index] }))
      .toSorted((a, b) => a.number - b.number);
    for (const reading of readings) {
      expect(reading.data()).toEqual(inOrder.map(({ post }) => post));
      await reading.cancel();
    }
  });

  test("a request that is repeated on another node gets the same answer, and publishes nothing", async () => {
    const key = { "idempotency-key": crypto.randomUUID() };
    const id = await idOf(await publish(first, "once", key));
    const again = await publish(second, "once", key);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await idOf(again)).toBe(id);
    const next = await idOf(await publish(second, "next"));
    expect(Number(next.split(".")[1])).toBe(Number(id.split(".")[1]) + 1);
  });

  test("an id from one node can be resumed on another at once", async () => {
    for (let round = 0; round < 25; round++) {
      const [here, there] = round % 2 === 0 ? [first, second] : [second, first];
      const id = await idOf(await publish(here, `before ${round}`));
      const reading = await subscribe(there, id);
      expect(outcome(reading)).toBe("resumed");
      await publish(here, `behind ${round}`);
      await reading.until(() => reading.data().length > 0);
      expect(reading.data()).toEqual([`behind ${round}`]);
      expect(reading.controls("spillway.reset")).toEqual([]);
      await reading.cancel();
    }
  });

  test("a node that is behind another one resumes the other's ids, and does not treat them as ids of another log", async () => {
    proxy.stall(true);
    let id = "";
    for (let round = 0; round < 20; round++) id = await idOf(await publish(first, `early ${round}`));
    const asked = subscribe(second, id);
    // Longer than the usual transit time of an event.
    await delay(2500);
    proxy.stall(false);
    let reading = await asked;
    while (reading.response.status === 503) reading = await subscribe(second, id);
    expect(outcome(reading)).toBe("resumed");
    await publish(first, "late");
    await reading.until(() => reading.data().length > 0);
    expect(reading.data()).toEqual(["late"]);
    await reading.cancel();
  });

  test("an id of another log, or from the future, is answered with one reset", async () => {
    const known = await idOf(await publish(first, "known"));
    const [epoch, number] = known.split(".") as [string, string];
    for (const id of [`other.${number}`, `${epoch}.${Number(number) + 1_000_000}`]) {
      const reading = await subscribe(second, id);
      expect(outcome(reading)).toBe("reset");
      const next = await idOf(await publish(first, `behind ${id}`));
      await reading.until(() => reading.data().includes(`behind ${id}`));
      expect(reading.controls("spillway.reset")).toMatchObject([{ epoch, requested: id }]);
      expect(reading.events.at(-1)!.id).toBe(next);
      await reading.cancel();
    }
  });
});
