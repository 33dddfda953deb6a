import { expect, test } from "vitest";
import { eventually } from "../../support/reader.ts";
import { appendSurely, contentOf, event, proxyForTest } from "../../support/store-nodes.ts";
import { openNode, serverForTest } from "./nodes.ts";

test("a flushed server is announced once on each node, and all open the same new log", async () => {
  const server = await serverForTest();
  const nodes = [await openNode(server.url, "a"), await openNode(server.url, "b"), await openNode(server.url, "c")];
  const old = nodes[0]!.log;
  await old.append([event("1"), event("2")], { upstreamCursor: "u2" });
  await server.command("FLUSHALL");
  await eventually(() => nodes.every(({ lost }) => lost.length > 0), "every node's notice");
  await eventually(() => nodes.every(({ log }) => log.epoch !== old.epoch), "the new log");
  const [a, b, c] = nodes.map(({ log }) => log);
  expect([b!.epoch, c!.epoch]).toEqual([a!.epoch, a!.epoch]);
  expect(a!.state()).toMatchObject({ head: 0, earliest: 1, upstreamCursor: undefined });
  await expect(old.append([event("3")])).rejects.toMatchObject({ code: "store-unavailable" });
  await expect(old.read(0, { limit: 1 })).rejects.toMatchObject({ code: "store-unavailable" });
  await b!.append([event("new")]);
  await eventually(() => nodes.every(({ seen }) => seen.length === 1), "the event of the new log");
  for (const { lost, seen } of nodes) expect([lost, seen]).toEqual([[old.epoch], [[1, "new"]]]);
});

test("an append to a flushed server is refused, and never becomes part of the new log under an old number", async () => {
  const server = await serverForTest();
  const [a, b] = [await openNode(server.url, "a"), await openNode(server.url, "b")];
  await a.log.append([event("1"), event("2"), event("3")]);
  const [oldOfA, oldOfB] = [a.log, b.log];
  await eventually(() => b.seen.length === 3, "the events on the other node");
  await server.command("FLUSHALL");
  await expect(oldOfA.append([event("4")])).rejects.toMatchObject({ code: "store-unavailable" });
  await eventually(() => a.log !== oldOfA, "the new log");
  // More than the old log had, before the other node has heard of it.
  await a.log.append(["x1", "x2", "x3", "x4", "x5"].map(event));
  await eventually(() => b.log !== oldOfB, "the new log on the other node");
  await expect(contentOf(b.log)).resolves.toHaveLength(5);
  expect([a.lost, b.lost]).toEqual([[oldOfA.epoch], [oldOfA.epoch]]);
  expect(b.log.epoch).toBe(a.log.epoch);
});

test("a server that comes back without its latest events is announced once on each node, and keeps the rest", async () => {
  const server = await serverForTest({ appendonly: "no" });
  const nodes = [await openNode(server.url, "a"), await openNode(server.url, "b")];
  const [a, b] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
  const old = a.log;
  await old.append([event("1"), event("2")], { upstreamCursor: "u2" });
  await server.command("SAVE");
  await old.append([event("3"), event("4")], { upstreamCursor: "u4" });
  await eventually(() => b.seen.length === 4, "the events on the other node");
  await server.kill();
  await server.start();
  await eventually(() => nodes.every(({ log }) => log.epoch !== old.epoch), "the new log");
  expect(b.log.epoch).toBe(a.log.epoch);
  // Ingest goes on from here: what was lost comes again.
  expect(a.log.state()).toMatchObject({ head: 2, earliest: 1, upstreamCursor: "u2" });
  await b.log.append([event("3")]);
  await eventually(() => nodes.every(({ seen }) => seen.length === 1), "the next event");
  for (const { lost, seen, log } of nodes) {
    expect([lost, seen]).toEqual([[old.epoch], [[3, "3"]]]);
    expect((await contentOf(log)).map(({ data }) => data)).toEqual(["1", "2", "3"]);
  }
});

test("lost events are detected even if others have taken their numbers", async () => {
  const server = await serverForTest({ appendonly: "no" });
  const proxy = await proxyForTest(server);
  const [a, b] = [await openNode(`redis://127.0.0.1:${proxy.port}`, "a"), await openNode(server.url, "b")];
  const old = a.log;
  await old.append([event("1")]);
  await eventually(() => b.seen.length === 1, "the event on the other node");
  await server.command("SAVE");
  // Only the node behind the relay hears of these.
  await b.store.close();
  await old.append([event("2"), event("3")]);
  proxy.refuse(true);
  proxy.reset();
  await server.kill();
  await server.start();
  const late = await openNode(server.url, "c");
  expect(late.log.epoch).toBe(old.epoch);
  await late.log.append(["x2", "x3", "x4", "x5"].map(event));
  proxy.refuse(false);
  await eventually(() => a.log !== old && late.log.epoch !== old.epoch, "the new log");
  expect([a.lost, late.lost]).toEqual([[old.epoch], [old.epoch]]);
  expect(a.log.epoch).toBe(late.log.epoch);
  expect((await contentOf(a.log)).map(({ data }) => data)).toEqual(["1", "x2", "x3", "x4", "x5"]);
});

test("a server that has only dropped the events is detected, and the log continues after them", async () => {
  const server = await serverForTest();
  const node = await openNode(server.url);
  const old = node.log;
  await old.append([event("1"), event("2")], { upstreamCursor: "u2" });
  await server.command("DEL", `{spillway:s}:events:${old.epoch}`);
  await eventually(() => node.log !== old, "the new log");
  expect(node.log.state()).toMatchObject({ head: 2, earliest: 3, events: 0, bytes: 0, upstreamCursor: "u2" });
  await expect(node.log.append([event("3")])).resolves.toMatchObject({ first: 3 });
  expect(node.lost).toEqual([old.epoch]);
});

test("a server with an append-only file that is killed repeatedly loses and duplicates nothing", async () => {
  const server = await serverForTest();
  const [a, b] = [await openNode(server.url, "a"), await openNode(server.url, "b")];
  const firsts: number[] = [];
  let killing = true;
  const writing = (async () => {
    for (let number = 1; killing || number <= 20; number++)
      firsts.push(await appendSurely(a.log, [event(String(number))]));
  })();
  for (let round = 0; round < 5; round++) {
    const reached = firsts.length;
    await eventually(() => firsts.length > reached + 5, "more appends");
    await server.kill();
    await server.start();
  }
  killing = false;
  await writing;
  const wanted = firsts.map((_, index) => [index + 1, String(index + 1)]);
  expect(firsts).toEqual(wanted.map(([number]) => number));
  await eventually(() => b.seen.length >= wanted.length, "all events on the other node");
  expect(b.seen).toEqual(wanted);
  expect(a.seen).toEqual(wanted);
  expect([a.lost, b.lost]).toEqual([[], []]);
});

test("a fence also grows if the server has forgotten the previous one", async () => {
  const server = await serverForTest();
  const node = await openNode(server.url);
  const before = await node.store.coordination!.acquire("s", 60_000);
  await server.command("FLUSHALL");
  const after = await node.store.coordination!.acquire("s", 60_000);
  expect(after!.fence).toBeGreaterThan(before!.fence);
  await expect(before!.renew(60_000)).resolves.toBe(false);
});
