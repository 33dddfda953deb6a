import fc from "fast-check";
import { expect, test } from "vitest";
import { eventually } from "../../support/reader.ts";
import {
  appendSurely,
  contentOf,
  event,
  type Node,
  openNode,
  proxyForTest,
  serverForTest,
  untilDone,
} from "./nodes.ts";
import { createRecorder } from "./recorder.ts";

test("an append whose answer is lost is there once, and resolves", async () => {
  const server = await serverForTest();
  const proxy = await proxyForTest(server);
  const node = await openNode(`redis://127.0.0.1:${proxy.port}`);
  for (let round = 1; round <= 5; round++) {
    proxy.delay(100);
    const appended = node.log.append([event(String(round))], { upstreamCursor: `u${round}` });
    await eventually(
      async () => (await server.command("HGET", "{spillway:s}:meta", "head")) === String(round),
      "the event on the server",
    );
    proxy.delay(0);
    proxy.reset();
    await expect(appended).resolves.toEqual({ first: round, last: round, replayed: false });
    expect(node.log.state()).toMatchObject({ head: round, upstreamCursor: `u${round}` });
  }
  expect((await contentOf(node.log)).map(({ data }) => data)).toEqual(["1", "2", "3", "4", "5"]);
});

test("an append with an unknown outcome that is made again with its retry token is there once", async () => {
  const server = await serverForTest();
  const proxy = await proxyForTest(server);
  const node = await openNode(`redis://127.0.0.1:${proxy.port}`);
  const batch = [event("1"), event("2")];
  const retryToken = {};
  proxy.delay(100);
  const appended = node.log.append(batch, { retryToken });
  const outcome = Promise.allSettled([appended]);
  await eventually(
    async () => (await server.command("HGET", "{spillway:s}:meta", "head")) === "2",
    "the events on the server",
  );
  proxy.refuse(true);
  proxy.reset();
  expect(await outcome).toMatchObject([{ reason: { code: "append-unknown" } }]);
  proxy.delay(0);
  proxy.refuse(false);
  expect(await untilDone(() => node.log.append(batch, { retryToken }))).toEqual({ first: 1, last: 2, replayed: false });
  await expect(node.log.append([event("3")])).resolves.toMatchObject({ first: 3 });
  expect((await contentOf(node.log)).map(({ data }) => data)).toEqual(["1", "2", "3"]);
});

test("while the server is away everything is refused in bounded time, and works when it is back", async () => {
  const server = await serverForTest();
  const [a, b] = [await openNode(server.url, "a"), await openNode(server.url, "b")];
  await a.log.append([event("1")]);
  await server.kill();
  const unavailable = { code: "store-unavailable" };
  await Promise.all([
    // It may have been sent before the end of the connection was noticed.
    expect(a.log.append([event("lost")])).rejects.toMatchObject({
      code: expect.stringMatching(/^(store-unavailable|append-unknown)$/),
    }),
    expect(a.log.read(0, { limit: 1 })).rejects.toMatchObject(unavailable),
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
});

test("a connection that hangs is left for another one, and the tail goes on from its place", async () => {
  const server = await serverForTest();
  const proxy = await proxyForTest(server);
  const [a, b] = [await openNode(server.url, "a"), await openNode(`redis://127.0.0.1:${proxy.port}`, "b")];
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
  const logger = createRecorder();
  const [a, b] = [await openNode(server.url, "a", { logger }), await openNode(server.url, "b")];
  const first = await appendSurely(a.log, [event("1")]);
  await server.pause(true);
  // Into the buffers of the server, which will find them when it goes on, behind the end of their connections.
  const appends = [2, 3, 4].map((number) => appendSurely(a.log, [event(String(number))]));
  await eventually(() => logger.reasons.includes("no answer for 5000 ms"), "the end of the connection");
  await server.pause(false);
  expect([first, ...(await Promise.all(appends))]).toEqual([1, 2, 3, 4]);
  await eventually(() => b.seen.length >= 4, "all events");
  expect(b.seen.map(([, data]) => data)).toEqual(["1", "2", "3", "4"]);
  expect(await contentOf(a.log)).toHaveLength(4);
});

test("a store can be closed while the server stands still", async () => {
  const server = await serverForTest();
  const node = await openNode(server.url);
  await server.pause(true);
  const appended = node.log.append([event("1")]);
  const outcome = Promise.allSettled([appended]);
  await node.store.close();
  expect(await outcome).toMatchObject([{ reason: { code: "append-unknown" } }]);
  await expect(node.log.append([event("2")])).rejects.toMatchObject({ code: "store-closed" });
  await server.pause(false);
});

test("whatever is cut, a reader sees every number once and every append is there once", async () => {
  const property = fc.asyncProperty(
    fc.array(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 20, maxLength: 40 }), {
      minLength: 2,
      maxLength: 2,
    }),
    fc.array(fc.record({ node: fc.nat(2), how: fc.constantFrom("reset", "cut", "stall"), after: fc.nat(60) }), {
      maxLength: 12,
    }),
    async (plans, cuts) => {
      const server = await serverForTest();
      const proxies = [await proxyForTest(server), await proxyForTest(server), await proxyForTest(server)];
      const nodes: Node[] = [];
      for (const [index, { port }] of proxies.entries())
        nodes.push(await openNode(`redis://127.0.0.1:${port}`, `n${index}`));
      const reader = nodes[2]!;
      const firsts: [string, number][] = [];
      const writing = plans.map(async (sizes, writer) => {
        for (const [batch, size] of sizes.entries()) {
          const name = `${writer}/${batch}`;
          const events = Array.from({ length: size }, (_, index) => event(`${name}/${index}`));
          firsts.push([name, await appendSurely(nodes[writer]!.log, events)]);
        }
      });
      for (const { node, how, after } of cuts) {
        await new Promise((resolve) => setTimeout(resolve, after));
        const proxy = proxies[node]!;
        if (how !== "stall") proxy[how]();
        else {
          proxy.stall(true);
          setTimeout(() => proxy.stall(false), 30);
        }
      }
      await Promise.all(writing);
      const total = plans.flat().reduce((sum, size) => sum + size, 0);
      await eventually(() => reader.seen.length >= total, "all events on the reader");
      expect(reader.seen.map(([seq]) => seq)).toEqual(Array.from({ length: total }, (_, index) => index + 1));
      const bySeq = new Map(reader.seen);
      for (const [name, first] of firsts) expect(bySeq.get(first)).toBe(`${name}/0`);
      expect(new Set(bySeq.values()).size).toBe(total);
      expect(nodes.map(({ lost }) => lost)).toEqual([[], [], []]);
      for (const { store } of nodes) await store.close();
    },
  );
  await fc.assert(property, { numRuns: 6 });
});
