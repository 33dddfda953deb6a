import { expect, test } from "vitest";
import { eventually } from "../../support/reader.ts";
import { appendSurely, dataOf, event, type Node, numbers, proxyForTest } from "../../support/store-nodes.ts";
import { openNode, serverForTest } from "./nodes.ts";

const stream = "spillway_log_s";

/** Checks that both nodes have detected the lost log once, and have the same new one. */
async function bothReset(a: Node, b: Node, epoch: string): Promise<void> {
  await eventually(() => [a, b].every(({ log }) => log.epoch !== epoch), "a new epoch on both nodes");
  expect(a.log.epoch).toBe(b.log.epoch);
  expect([a.lost, b.lost]).toEqual([[epoch], [epoch]]);
}

async function fill(log: Node["log"], from: number, to: number): Promise<void> {
  for (const number of numbers(from, to)) await log.append([event(number)], { upstreamCursor: `u${number}` });
}

test("a deleted JetStream stream causes one announced reset", async () => {
  const server = await serverForTest();
  const [a, b] = [await openNode(server.url, "a"), await openNode(server.url, "b")];
  const { epoch } = a.log;
  await fill(a.log, 1, 5);
  const old = a.log;
  await server.use(({ streams }) => streams.delete(stream));
  await bothReset(a, b, epoch);
  await expect(old.append([event("6")])).rejects.toMatchObject({ code: "store-unavailable" });
  await expect(old.read(0, { limit: 1 })).rejects.toMatchObject({ code: "store-unavailable" });
  expect(a.log.state()).toMatchObject({ head: 0, upstreamCursor: undefined });
  await a.log.append([event("1")]);
  await eventually(() => b.seen.length === 1, "the event in the new log");
});

test("an append is never stored in a JetStream stream that replaced a deleted one", async () => {
  const server = await serverForTest();
  const proxy = await proxyForTest(server);
  const a = await openNode(`nats://127.0.0.1:${proxy.port}`, "a");
  const { epoch } = a.log;
  await fill(a.log, 1, 5);
  proxy.stall(true);
  await server.use(({ streams }) => streams.delete(stream));
  const b = await openNode(server.url, "b");
  // As many messages as in the old one, so that the sequence number alone would match.
  await fill(b.log, 1, 5);
  const appended = a.log.append([event("6")]);
  proxy.stall(false);
  // It may have been stored in the old one before that was deleted.
  await expect(appended).rejects.toMatchObject({ code: "append-unknown" });
  await eventually(() => a.log.epoch === b.log.epoch, "the new log on both nodes");
  expect([a.lost, b.lost]).toEqual([[epoch], []]);
  expect(await dataOf(a.log)).toEqual(numbers(1, 5));
});

test("an emptied JetStream stream causes one announced reset", async () => {
  const server = await serverForTest();
  const [a, b] = [await openNode(server.url, "a"), await openNode(server.url, "b")];
  const { epoch } = a.log;
  await fill(a.log, 1, 5);
  await server.use(({ streams }) => streams.purge(stream));
  await bothReset(a, b, epoch);
  expect(await appendSurely(a.log, [event("1")])).toBe(1);
});

test("after all streams are deleted, leases too, fences still grow, and the log can be ingested again", async () => {
  const server = await serverForTest();
  const [a, b] = [await openNode(server.url, "a"), await openNode(server.url, "b")];
  const { epoch } = a.log;
  const lease = (await a.store.coordination!.acquire("s", 60_000))!;
  await a.log.append([event("1")], { fence: lease.fence });
  await server.use(({ streams }) => streams.delete("spillway_nodes"));
  await expect(b.store.coordination!.holder("s")).rejects.toMatchObject({ code: "store-unavailable" });
  await server.use(({ streams }) => streams.delete(stream));
  await bothReset(a, b, epoch);
  const next = await b.store.coordination!.acquire("s", 60_000);
  expect(next?.fence).toBeGreaterThan(lease.fence);
});
