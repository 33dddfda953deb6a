import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Broker, brokers } from "../../support/brokers.ts";
import type { EngineServer } from "../../support/engine-server.ts";
import { throughPort } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";
import {
  appendSurely,
  contentOf,
  dataOf,
  event,
  eventsOf,
  type Node,
  numbers,
  numbersTo,
  openNodeOf,
  proxyForTest,
  untilDone,
} from "../../support/store-nodes.ts";
import type { TcpProxy } from "../../support/tcp-proxy.ts";

const unknown = { code: "append-unknown" };

async function serverForTest({ startServer }: Broker): Promise<EngineServer> {
  const server = await startServer();
  onTestFinished(() => server.remove());
  return server;
}

function openNode({ openStore }: Broker, url: string, node = "a"): Promise<Node> {
  return openNodeOf((onReset) => openStore(url, { node, onReset }));
}

/** A node whose connections go through a proxy. */
async function openProxied(
  broker: Broker,
  server: EngineServer,
  name?: string,
): Promise<{ node: Node; proxy: TcpProxy }> {
  const proxy = await proxyForTest(server);
  return { node: await openNode(broker, throughPort(server.url, proxy.port), name), proxy };
}

describe.each(brokers)("$name", (broker) => {
  test("an append whose answer is lost is stored once, and resolves", async () => {
    const server = await serverForTest(broker);
    const { node, proxy } = await openProxied(broker, server);
    const other = await openNode(broker, server.url, "b");
    for (let round = 1; round <= 5; round++) {
      proxy.delay(100);
      const appended = node.log.append([event(String(round))], { upstreamCursor: `u${round}` });
      await eventually(() => other.seen.length === round, "the event on the other node");
      proxy.delay(0);
      proxy.reset();
      await expect(appended).resolves.toEqual({ first: round, last: round, replayed: false });
      expect(node.log.state()).toMatchObject({ head: round, upstreamCursor: `u${round}` });
    }
    expect(await dataOf(node.log)).toEqual(numbers(1, 5));
  });

  test("an append with an unknown outcome that is repeated with its retry token is stored once", async () => {
    const server = await serverForTest(broker);
    const { node, proxy } = await openProxied(broker, server);
    const other = await openNode(broker, server.url, "b");
    const batch = eventsOf("1", "2");
    const retried = { upstreamCursor: "u2", retryToken: {} };
    proxy.delay(100);
    const refused = node.log.append(batch, retried).catch((error: unknown) => error);
    await eventually(() => other.seen.length === 2, "the events on the other node");
    proxy.refuse(true);
    proxy.reset();
    expect(await refused).toMatchObject(unknown);
    await appendSurely(other.log, [event("3")]);
    proxy.delay(0);
    proxy.refuse(false);
    expect(await untilDone(() => node.log.append(batch, retried))).toEqual({ first: 1, last: 2, replayed: false });
    await expect(node.log.append([event("4")])).resolves.toMatchObject({ first: 4 });
    // Twice on purpose is twice.
    await expect(node.log.append(batch, { upstreamCursor: "u2" })).resolves.toMatchObject({ first: 5 });
    expect(await dataOf(node.log)).toEqual(["1", "2", "3", "4", "1", "2"]);
  });

  test("a hanging connection is replaced by another one, and the tail continues from its position", async () => {
    const server = await serverForTest(broker);
    const a = await openNode(broker, server.url, "a");
    const { node: b, proxy } = await openProxied(broker, server, "b");
    await a.log.append([event("1")]);
    await eventually(() => b.seen.length === 1, "the first event");
    const connections = proxy.accepted();
    proxy.stall(true);
    await a.log.append([event("2")]);
    await eventually(() => proxy.accepted() > connections, "another connection");
    await a.log.append([event("3")]);
    proxy.stall(false);
    await eventually(() => b.seen.length === 3, "what was missed");
    expect(b.seen.map(([seq]) => seq)).toEqual([1, 2, 3]);
  });

  test("a server that is paused for longer than any timeout duplicates nothing", async () => {
    const server = await serverForTest(broker);
    const [a, b] = [await openNode(broker, server.url, "a"), await openNode(broker, server.url, "b")];
    await a.log.append([event("1")]);
    await server.pause(true);
    // These stay in the buffers of the server, which reads them once it resumes, when the connection has already ended.
    const second = { retryToken: {} };
    const refused = a.log.append([event("2")], second).catch((error: unknown) => error);
    const appends = [3, 4].map((number) => appendSurely(a.log, [event(String(number))]));
    expect(await refused).toMatchObject(unknown);
    const again = untilDone(() => a.log.append([event("2")], second));
    await server.pause(false);
    const firsts = [1, (await again).first, ...(await Promise.all(appends))];
    await eventually(() => b.seen.length >= 4, "all events");
    expect(b.seen.toSorted(([, one], [, other]) => Number(one) - Number(other))).toEqual(
      firsts.map((first, index) => [first, String(index + 1)]),
    );
    expect(await contentOf(a.log)).toHaveLength(4);
  });

  test("a store can be closed while the server is paused", async () => {
    const server = await serverForTest(broker);
    const node = await openNode(broker, server.url);
    await server.pause(true);
    const refused = node.log.append([event("1")]).catch((error: unknown) => error);
    await node.store.close();
    expect(await refused).toMatchObject(unknown);
    await expect(node.log.append([event("2")])).rejects.toMatchObject({ code: "store-closed" });
    await server.pause(false);
  });

  test("with any broken connections, a reader gets every number once and every append is stored once", async () => {
    const batches = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 20, maxLength: 40 });
    const how = fc.constantFrom("reset", "cut", "stall");
    const property = fc.asyncProperty(
      fc.array(fc.record({ atOnce: fc.boolean(), sizes: batches }), { minLength: 2, maxLength: 2 }),
      fc.array(fc.record({ node: fc.nat(2), how, after: fc.nat(60) }), { minLength: 3, maxLength: 12 }),
      (plans, cuts) => cutAtRandom(broker, plans, cuts),
    );
    await fc.assert(property, { numRuns: 6, endOnFailure: true });
  });
});

/** The batches of a writer. */
interface Plan {
  /** Whether it sends a batch before the previous one has arrived. */
  readonly atOnce: boolean;
  /** How many events each batch has. */
  readonly sizes: readonly number[];
}

interface Cut {
  readonly node: number;
  readonly how: "reset" | "cut" | "stall";
  /** In ms, since the cut before. */
  readonly after: number;
}

/** Two nodes append, a third one follows, and connections are cut meanwhile. */
async function cutAtRandom(broker: Broker, plans: readonly Plan[], cuts: readonly Cut[]): Promise<void> {
  const server = await serverForTest(broker);
  const proxied = await Promise.all([0, 1, 2].map((index) => openProxied(broker, server, `n${index}`)));
  const nodes = proxied.map(({ node }) => node);
  const writing = Promise.all(plans.map((plan, writer) => write(nodes[writer]!, writer, plan)));
  for (const { node, how, after } of cuts) {
    await delay(after);
    const { proxy } = proxied[node]!;
    if (how !== "stall") proxy[how]();
    else {
      proxy.stall(true);
      setTimeout(() => proxy.stall(false), 30);
    }
  }
  const firsts = (await writing).flat();
  const total = plans.flatMap(({ sizes }) => sizes).reduce((sum, size) => sum + size, 0);
  await eventually(() => nodes.every(({ seen }) => seen.length >= total), "all events on all nodes");
  const content = await contentOf(nodes[2]!.log);
  expect(content.map(({ seq }) => seq)).toEqual(numbersTo(total));
  for (const { seen, lost } of nodes) {
    expect(seen).toEqual(content.map(({ seq, data }) => [seq, data]));
    expect(lost).toEqual([]);
  }
  for (const { first, data } of firsts) expect(content[first - 1]?.data).toBe(data);
  expect(new Set(content.map(({ data }) => data)).size).toBe(total);
  for (const { store } of nodes) await store.close();
}

/** Appends each batch until it succeeds; resolves to the number of the first event of each. */
async function write(
  { log }: Node,
  writer: number,
  { atOnce, sizes }: Plan,
): Promise<{ readonly first: number; readonly data: string }[]> {
  const append = async (size: number, index: number): Promise<{ readonly first: number; readonly data: string }> => {
    const data = numbersTo(size).map((part) => `${writer}.${index}.${part}`);
    return { first: await appendSurely(log, eventsOf(...data)), data: data[0]! };
  };
  if (atOnce) return Promise.all(sizes.map(async (size, index) => delay(index * 8).then(() => append(size, index))));
  const appended = [];
  for (const [index, size] of sizes.entries()) appended.push(await append(size, index));
  return appended;
}
