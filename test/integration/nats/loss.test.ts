import { cp, rm } from "node:fs/promises";
import { expect, test } from "vitest";
import type { NatsServer } from "../../support/nats.ts";
import { eventually } from "../../support/reader.ts";
import { appendSurely, dataOf, event, type Node, numbers, proxyForTest } from "../../support/store-nodes.ts";
import { openNode, serverForTest } from "./nodes.ts";

const stream = "spillway_log_s";

/** Both nodes have noticed that the log is lost, once, and have the same new one. */
async function bothReset(a: Node, b: Node, epoch: string): Promise<void> {
  await eventually(() => [a, b].every(({ log }) => log.epoch !== epoch), "a new epoch on both nodes");
  expect(a.log.epoch).toBe(b.log.epoch);
  expect([a.lost, b.lost]).toEqual([[epoch], [epoch]]);
}

async function fill(log: Node["log"], from: number, to: number): Promise<void> {
  for (const number of numbers(from, to)) await log.append([event(number)], { upstreamCursor: `u${number}` });
}

/** Ends the server, puts the files of another time in place of its own, and starts it again. */
async function restore(server: NatsServer, backup: string): Promise<void> {
  await server.kill();
  await rm(server.folder, { recursive: true });
  await cp(backup, server.folder, { recursive: true });
  await server.start();
}

/** The log with ten events, copied aside as a backup, and ten more in the log. */
async function twentyWithBackup(server: NatsServer, node: Node): Promise<string> {
  await fill(node.log, 1, 10);
  await server.kill();
  const backup = `${server.folder}-backup`;
  await cp(server.folder, backup, { recursive: true });
  await server.start();
  await eventually(() =>
    node.log.append([event("11")], { upstreamCursor: "u11" }).then(
      () => true,
      () => false,
    ),
  );
  await fill(node.log, 12, 20);
  return backup;
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
  // As many messages as in the old one, so that the sequence number alone would fit.
  await fill(b.log, 1, 5);
  const appended = a.log.append([event("6")]);
  proxy.stall(false);
  // It may have been in the old one before that was deleted.
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

test("a server restored from a backup continues with its data, under a new epoch", async () => {
  const server = await serverForTest();
  const [a, b] = [await openNode(server.url, "a"), await openNode(server.url, "b")];
  const { epoch } = a.log;
  const backup = await twentyWithBackup(server, a);
  await eventually(() => b.log.state().head === 20, "all on the other node");
  await restore(server, backup);
  await bothReset(a, b, epoch);
  await rm(backup, { recursive: true });
  expect(a.log.state()).toMatchObject({ head: 10, upstreamCursor: "u10" });
  await fill(a.log, 11, 12);
  await eventually(() => b.log.state().head === 12, "the new events on the other node");
  expect(await dataOf(b.log)).toEqual(numbers(1, 12));
});

test("a lost end is detected even if another node has appended beyond it before", async () => {
  const server = await serverForTest();
  const proxy = await proxyForTest(server);
  const a = await openNode(`nats://127.0.0.1:${proxy.port}`, "a");
  const { epoch } = a.log;
  const backup = await twentyWithBackup(server, a);
  proxy.refuse(true);
  await restore(server, backup);
  await rm(backup, { recursive: true });
  const b = await openNode(server.url, "b");
  expect(b.log.epoch).toBe(epoch);
  await fill(b.log, 11, 40);
  proxy.refuse(false);
  await bothReset(a, b, epoch);
  expect(await dataOf(a.log)).toEqual(numbers(1, 40));
});

test("a server that is killed and restarted has lost nothing, and no client is reset", async () => {
  const server = await serverForTest();
  const [a, b] = [await openNode(server.url, "a"), await openNode(server.url, "b")];
  let sent = 0;
  for (let restart = 0; restart < 3; restart++) {
    const appends = Array.from({ length: 30 }, () => appendSurely(a.log, [event(String(++sent))]));
    await server.kill();
    await server.start();
    await Promise.all(appends);
  }
  await eventually(() => b.seen.length >= sent, "all events on the other node");
  expect(b.seen.map(([seq]) => String(seq))).toEqual(numbers(1, sent));
  expect(
    b.seen
      .map(([, data]) => Number(data))
      .toSorted((one, other) => one - other)
      .map(String),
  ).toEqual(numbers(1, sent));
  expect([a.lost, b.lost]).toEqual([[], []]);
});
