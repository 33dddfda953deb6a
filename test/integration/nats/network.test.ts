import fc from "fast-check";
import { expect, test } from "vitest";
import type { NatsServer } from "../../support/nats.ts";
import { eventually } from "../../support/reader.ts";
import {
  appendSurely,
  contentOf,
  dataOf,
  event,
  type Node,
  numbers,
  openNode,
  proxyForTest,
  serverForTest,
  untilDone,
} from "./nodes.ts";

const unavailable = { code: "store-unavailable" };

/** The last sequence number of the log in NATS. */
function lastSeq(server: NatsServer): Promise<number> {
  return server.use(async ({ streams }) => (await streams.info("spillway_log_s")).state.last_seq);
}

test("an append whose answer is lost is there once, and resolves", async () => {
  const server = await serverForTest();
  const proxy = await proxyForTest(server);
  const node = await openNode(`nats://127.0.0.1:${proxy.port}`);
  for (let round = 1; round <= 5; round++) {
    const before = await lastSeq(server);
    proxy.delay(100);
    const appended = node.log.append([event(String(round))], { upstreamCursor: `u${round}` });
    await eventually(async () => (await lastSeq(server)) > before, "the event on the server");
    proxy.delay(0);
    proxy.reset();
    await expect(appended).resolves.toEqual({ first: round, last: round, replayed: false });
    expect(node.log.state()).toMatchObject({ head: round, upstreamCursor: `u${round}` });
  }
  expect(await dataOf(node.log)).toEqual(numbers(1, 5));
});

test("an append with an unknown outcome that is made again with its retry token is there once", async () => {
  const server = await serverForTest();
  const proxy = await proxyForTest(server);
  const node = await openNode(`nats://127.0.0.1:${proxy.port}`);
  const other = await openNode(server.url, "b");
  const batch = [event("1"), event("2")];
  const retried = { upstreamCursor: "u2", retryToken: {} };
  proxy.delay(100);
  const failed = node.log.append(batch, retried).catch((error: unknown) => error);
  await eventually(() => other.seen.length === 2, "the events on the other node");
  proxy.refuse(true);
  proxy.reset();
  expect(await failed).toMatchObject({ code: "append-unknown" });
  await appendSurely(other.log, [event("3")]);
  proxy.delay(0);
  proxy.refuse(false);
  await eventually(
    async () => (await node.log.append(batch, retried).catch(() => undefined))?.first === 1,
    "the numbers of the first call",
  );
  await expect(node.log.append([event("4")])).resolves.toMatchObject({ first: 4 });
  // Twice on purpose is twice.
  await expect(node.log.append(batch, { upstreamCursor: "u2" })).resolves.toMatchObject({ first: 5 });
  expect(await dataOf(node.log)).toEqual(["1", "2", "3", "4", "1", "2"]);
});

test("while the server is away everything is refused in bounded time, and works when it is back", async () => {
  const server = await serverForTest();
  const [a, b] = [await openNode(server.url, "a"), await openNode(server.url, "b")];
  await a.log.append([event("1")]);
  await server.kill();
  await Promise.all([
    // It may have been sent before the end of the connection was noticed.
    expect(a.log.append([event("lost")])).rejects.toMatchObject({
      code: expect.stringMatching(/^(store-unavailable|append-unknown)$/),
    }),
    expect(a.log.read(1, { limit: 1 })).rejects.toMatchObject(unavailable),
    expect(a.log.find({ upstreamId: "u" })).rejects.toMatchObject(unavailable),
    expect(a.store.coordination!.acquire("s", 1_000)).rejects.toMatchObject(unavailable),
    expect(a.store.open("t", { retention: { age: 1, events: 1, bytes: 1 } })).rejects.toMatchObject(unavailable),
  ]);
  await server.start();
  expect(await appendSurely(a.log, [event("2")])).toBe(2);
  await eventually(() => b.seen.length === 2, "the events on the other node");
  expect(b.seen).toEqual([
    [1, "1"],
    [2, "2"],
  ]);
  expect([a.lost, b.lost]).toEqual([[], []]);
});

test("a connection that hangs is left for another one, and the tail goes on from its place", async () => {
  const server = await serverForTest();
  const proxy = await proxyForTest(server);
  const [a, b] = [await openNode(server.url, "a"), await openNode(`nats://127.0.0.1:${proxy.port}`, "b")];
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

test("a server that stands still for longer than any patience doubles nothing", async () => {
  const server = await serverForTest();
  const [a, b] = [await openNode(server.url, "a"), await openNode(server.url, "b")];
  await a.log.append([event("1")]);
  await server.pause(true);
  // Into the buffers of the server, which finds it when it goes on, behind the end of the connection.
  const second = { retryToken: {} };
  await expect(a.log.append([event("2")], second)).rejects.toMatchObject({ code: "append-unknown" });
  const again = untilDone(() => a.log.append([event("2")], second));
  const appends = [3, 4].map((number) => appendSurely(a.log, [event(String(number))]));
  await server.pause(false);
  await Promise.all([again, ...appends]);
  await eventually(() => b.seen.length >= 4, "all events");
  expect(b.seen.map(([, data]) => data).toSorted()).toEqual(numbers(1, 4));
  expect(await contentOf(a.log)).toHaveLength(4);
});

test("a store can be closed while the server stands still", async () => {
  const server = await serverForTest();
  const node = await openNode(server.url);
  await server.pause(true);
  const refused = node.log.append([event("1")]).catch((error: unknown) => error);
  await node.store.close();
  expect(await refused).toMatchObject({ code: "append-unknown" });
  await expect(node.log.append([event("2")])).rejects.toMatchObject({ code: "store-closed" });
  await server.pause(false);
});

test("whatever is cut, a reader sees every number once and every append is there once", async () => {
  const property = fc.asyncProperty(
    fc.array(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 20, maxLength: 40 }), {
      minLength: 2,
      maxLength: 2,
    }),
    fc.array(fc.record({ node: fc.nat(2), how: fc.constantFrom("reset", "cut"), after: fc.nat(60) }), {
      minLength: 3,
      maxLength: 8,
    }),
    cutAtRandom,
  );
  await fc.assert(property, { numRuns: 4, endOnFailure: true });
});

interface Cut {
  readonly node: number;
  readonly how: "reset" | "cut";
  readonly after: number;
}

/** Two nodes append batches of these sizes, a third one follows, and connections are cut meanwhile. */
async function cutAtRandom(sizes: readonly (readonly number[])[], cuts: readonly Cut[]): Promise<void> {
  const server = await serverForTest();
  const proxies = await Promise.all([0, 1, 2].map(() => proxyForTest(server)));
  const nodes = await Promise.all(
    proxies.map((proxy, index) => openNode(`nats://127.0.0.1:${proxy.port}`, `n${index}`)),
  );
  const writing = Promise.all(sizes.map((batches, writer) => write(nodes[writer]!, writer, batches)));
  for (const { node, how, after } of cuts) {
    await new Promise((resolve) => setTimeout(resolve, after));
    proxies[node]![how]();
  }
  const firsts = (await writing).flat();
  const total = sizes.flat().reduce((sum, size) => sum + size, 0);
  await eventually(() => nodes.every(({ seen }) => seen.length >= total), "all events on all nodes");
  const content = await contentOf(nodes[2]!.log);
  expect(content.map(({ seq }) => String(seq))).toEqual(numbers(1, total));
  for (const { seen, lost } of nodes) {
    expect(seen).toEqual(content.map(({ seq, data }) => [seq, data]));
    expect(lost).toEqual([]);
  }
  for (const { first, data } of firsts) expect(content[first - 1]?.data).toBe(data);
  expect(new Set(content.map(({ data }) => data)).size).toBe(total);
}

/** Appends batches one after the other, many at a time, each until it is there; resolves to where the first of each is. */
function write(
  node: Node,
  writer: number,
  sizes: readonly number[],
): Promise<{ readonly first: number; readonly data: string }[]> {
  return Promise.all(
    sizes.map(async (size, index) => {
      await new Promise((resolve) => setTimeout(resolve, index * 8));
      const batch = Array.from({ length: size }, (_, part) => event(`${writer}.${index}.${part}`));
      return { first: await appendSurely(node.log, batch), data: `${writer}.${index}.0` };
    }),
  );
}
