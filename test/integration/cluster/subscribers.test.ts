import { createGateway, type Gateway } from "spillway";
import { defineStream } from "spillway/events";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { startCluster } from "../../support/cluster.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { engines } from "../../support/shared-engines.ts";

const timeout = 60_000;

const cleanUps: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

interface Node {
  readonly gateway: Gateway;
  readonly url: string;
}

async function startNode(store: string): Promise<Node> {
  const access = { anonymous: ["subscribe", "admin"] } as const;
  const definition = defineStream("s", { events: { notice: z.string() } });
  const streams = { s: { definition } };
  const gateway = await createGateway({ listen: "127.0.0.1:0", store, drain: "0s", streams, access });
  cleanUps.push(() => gateway.close());
  const { port } = await gateway.listen();
  return { gateway, url: `http://127.0.0.1:${port}` };
}

async function follow(url: string, stream = "s"): Promise<Reading> {
  const reading = read(await fetch(`${url}/streams/${stream}`));
  cleanUps.push(() => reading.cancel().catch(() => undefined));
  return reading.until(({ events }) => events.length > 0);
}

const idOf = (reading: Reading): string => reading.controls("connected")[0]!["client"] as string;

async function clientsOf({ gateway }: Node): Promise<string[]> {
  const found: string[] = [];
  for await (const { client } of gateway.stream("s").clients()) found.push(client);
  return found;
}

describe.each(engines)("on $name", (engine) => {
  test("every node lists, reaches and ends the clients of all nodes", { timeout }, async () => {
    const place = engine.openPlace();
    cleanUps.push(() => place.remove());
    const nodes = [await startNode(place.url), await startNode(place.url), await startNode(place.url)] as const;
    const readings = await Promise.all(nodes.map(({ url }) => follow(url)));
    const ids = readings.map(idOf);
    for (const node of nodes) {
      await eventually(async () => (await clientsOf(node)).length === 3, "the clients of all nodes");
      expect((await clientsOf(node)).toSorted()).toEqual(ids.toSorted());
      for (const id of ids) expect(await node.gateway.stream("s").send(id, "notice", "to one")).toBe(true);
    }
    for (const reading of readings) await reading.until(() => reading.data().length === 3);
    // The node that is asked checks the event, whose client is on another one.
    const headers = { "content-type": "application/json" };
    const invalid = { method: "POST", headers, body: '{"event":"notice","data":1}' };
    const refused = await fetch(`${nodes[0].url}/admin/subscribers/${ids[2]}/events`, invalid);
    expect(await refused.json()).toMatchObject({ status: 422, code: "event-invalid", field: "[0].data" });
    expect(await nodes[0].gateway.stream("s").send("A".repeat(22), "notice", "to nobody")).toBe(false);

    // A node that has left is not asked any more.
    await nodes[2].gateway.close();
    expect((await clientsOf(nodes[0])).toSorted()).toEqual(ids.slice(0, 2).toSorted());
    expect(await nodes[0].gateway.stream("s").send(ids[2]!, "notice", "to one that has left")).toBe(false);

    const response = await fetch(`${nodes[0].url}/admin/subscribers?subject=anonymous`, { method: "DELETE" });
    expect(await response.json()).toEqual({ ended: 2 });
    for (const reading of readings.slice(0, 2)) await eventually(() => reading.ended, "the end of the response");
  });
});

test("a node that was killed is reported once, and then forgotten", { timeout }, async () => {
  const place = engines[0]!.openPlace();
  const cluster = await startCluster({ urls: [place.url, place.url], lease: 2000 });
  cleanUps.push(() => place.remove(), cluster.close);
  const [first, second] = cluster.nodes;
  const [ours, theirs] = [await follow(first!.url, "posts"), await follow(second!.url, "posts")];
  const send = async (reading: Reading): Promise<unknown> => {
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: '{"data":1}' };
    const response = await fetch(`${first!.url}/admin/subscribers/${idOf(reading)}/events`, init);
    return response.json();
  };
  await eventually(async () => ((await send(theirs)) as { delivered?: boolean }).delivered === true, "both nodes");
  await second!.kill("SIGKILL");
  expect(await send(ours)).toEqual({ delivered: true });
  expect(await send(theirs)).toMatchObject({ status: 503, code: "peer-timeout" });
  expect(await send(theirs)).toMatchObject({ status: 404, code: "client-unknown" });
});
