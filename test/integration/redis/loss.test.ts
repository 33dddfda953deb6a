import { expect, test } from "vitest";
import { eventually } from "../../support/reader.ts";
import { contentOf, event } from "../../support/store-nodes.ts";
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
  // More than the old log had, before the other node knows about it.
  await a.log.append(["x1", "x2", "x3", "x4", "x5"].map(event));
  await eventually(() => b.log !== oldOfB, "the new log on the other node");
  await expect(contentOf(b.log)).resolves.toHaveLength(5);
  expect([a.lost, b.lost]).toEqual([[oldOfA.epoch], [oldOfA.epoch]]);
  expect(b.log.epoch).toBe(a.log.epoch);
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

test("a fence also grows if the server has forgotten the previous one", async () => {
  const server = await serverForTest();
  const node = await openNode(server.url);
  const before = await node.store.coordination!.acquire("s", 60_000);
  await server.command("FLUSHALL");
  const after = await node.store.coordination!.acquire("s", 60_000);
  expect(after!.fence).toBeGreaterThan(before!.fence);
  await expect(before!.renew(60_000)).resolves.toBe(false);
});
