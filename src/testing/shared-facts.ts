import { deepEqual, equal, ok } from "node:assert/strict";
import type { Log } from "../log/log.ts";
import { dataOf, newEvent, numbered, numbers, readAll } from "./events.ts";
import { eventually } from "./eventually.ts";
import type { LogStoreFact } from "./log-store-fact.ts";

/** Reads new events on each notification, as a hub does. */
function follow(log: Log): { readonly seen: number[] } {
  const seen: number[] = [];
  let reading: Promise<void> = Promise.resolve();
  const readOn = async (): Promise<void> => {
    const { events } = await log.read(seen.at(-1) ?? 0, { limit: 1000 });
    seen.push(...events.map(({ seq }) => seq));
  };
  log.watch(() => {
    // The last notifications may arrive while the store closes.
    reading = reading.then(readOn).catch(() => {});
  });
  return { seen };
}

/** The facts about stores that several processes may have open at once. */
export const sharedFacts: readonly LogStoreFact[] = [
  {
    title: "nodes that start at the same time at an empty place get the same log",
    shared: true,
    async check({ open, join }) {
      const first = open();
      const logs = await Promise.all(
        ["b", "c", "d"].map(async (node) => (await join(node)).open("s", { retention: everything })),
      );
      const { epoch } = await first;
      deepEqual(
        logs.map((log) => log.epoch),
        [epoch, epoch, epoch],
      );
    },
  },
  {
    title: "events that are appended on one node are read on the others, which are notified",
    shared: true,
    async check({ open, join }) {
      const here = await open();
      const there = await (await join("b")).open("s", { retention: everything });
      const { seen } = follow(there);
      await here.append(numbered(1, 3), { upstreamCursor: "u3" });
      await eventually("the events on the other node", () => seen.length === 3);
      deepEqual(dataOf(await readAll(there)), numbers(1, 3));
      await eventually("the state on the other node", () => there.state().head === 3);
      equal(there.state().upstreamCursor, "u3");
    },
  },
  {
    title: "an event that is published on one node does not count as the source's on another",
    shared: true,
    async check({ open, join }) {
      const here = await open();
      const there = await (await join("b")).open("s", { retention: everything });
      await here.append([newEvent("1", { upstreamId: "u" })]);
      await there.append([newEvent("2", { upstreamId: "u", published: true })]);
      await there.append([newEvent("3", { upstreamId: "v", published: true })]);
      for (const log of [here, there]) {
        const ids = [{ sourceId: "u" }, { sourceId: "v" }, { upstreamId: "v" }, { upstreamId: "v", published: true }];
        deepEqual(await Promise.all(ids.map((id) => log.find(id))), [1, undefined, undefined, 3]);
        deepEqual(
          (await readAll(log)).map(({ published }) => published),
          [undefined, true, true],
        );
      }
    },
  },
  {
    title: "concurrent appends of several nodes never make a reader skip an event",
    shared: true,
    async check({ open, join }) {
      const logs = [await open(), await (await join("b")).open("s", { retention: everything })];
      const reader = await (await join("c")).open("s", { retention: everything });
      const { seen } = follow(reader);
      const batches = 40;
      // Sequential on each node, so that appends of the nodes coincide in the store many times.
      await Promise.all(
        logs.map(async (log) => {
          for (let index = 0; index < batches; index++) await log.append(numbered(1, 1 + (index % 3)));
        }),
      );
      const total =
        logs.length * Array.from({ length: batches }, (_, index) => 1 + (index % 3)).reduce((a, b) => a + b);
      await eventually("all events", () => seen.length >= total);
      deepEqual(
        seen,
        Array.from({ length: total }, (_, index) => index + 1),
      );
    },
  },
  {
    title: "times never decrease, even if the clocks of nodes differ",
    shared: true,
    async check({ open, join, pass }) {
      const here = await open();
      pass(60_000);
      const there = await (await join("b")).open("s", { retention: everything });
      await there.append(numbered(1, 1));
      pass(-60_000);
      await here.append(numbered(2, 2));
      const [first, second] = await readAll(here);
      ok(first!.time <= second!.time);
    },
  },
  {
    title: "an idempotency key is valid on every node",
    shared: true,
    async check({ open, join }) {
      const here = await open();
      const there = await (await join("b")).open("s", { retention: everything });
      const idempotency = { key: "k", fingerprint: "f" };
      const first = await here.append(numbered(1, 2), { idempotency });
      deepEqual(await there.append(numbered(1, 2), { idempotency }), { ...first, replayed: true });
      equal((await readAll(there)).length, 2);
    },
  },
  {
    title: "one node at a time holds the lease of a stream, and the others see which",
    shared: true,
    async check({ store, open, join }) {
      await open();
      const other = await join("b");
      await other.open("s", { retention: everything });
      const lease = await store.coordination!.acquire("s", 60_000);
      equal(lease?.node, "a");
      equal(await other.coordination!.acquire("s", 60_000), undefined);
      deepEqual(await other.coordination!.holder("s"), { node: "a", fence: lease.fence });
      equal(await lease.renew(60_000), true);
      await lease.release();
      equal(await other.coordination!.holder("s"), undefined);
      const next = await other.coordination!.acquire("s", 60_000);
      ok(next && next.fence > lease.fence);
      equal(await lease.renew(60_000), false);
      await lease.release();
      deepEqual(await store.coordination!.holder("s"), { node: "b", fence: next.fence });
    },
  },
  {
    title: "only one of several concurrent requests for a lease gets it",
    shared: true,
    async check({ store, open, join }) {
      await open();
      const others = await Promise.all(["b", "c"].map((node) => join(node)));
      for (const other of others) await other.open("s", { retention: everything });
      const leases = await Promise.all(
        [store, ...others].map(({ coordination }) => coordination!.acquire("s", 60_000)),
      );
      equal(leases.filter((lease) => lease !== undefined).length, 1);
    },
  },
  {
    title: "a lease that is not renewed expires, and its holder can no longer append with it",
    shared: true,
    async check({ store, open, join }) {
      const here = await open();
      const other = await join("b");
      const there = await other.open("s", { retention: everything });
      const lease = (await store.coordination!.acquire("s", 200))!;
      await here.append(numbered(1, 1), { fence: lease.fence, upstreamCursor: "u1" });
      let next = await other.coordination!.acquire("s", 60_000);
      await eventually("the end of the lease", async () => {
        next ??= await other.coordination!.acquire("s", 60_000);
        return next !== undefined;
      });
      // The node that takes over continues where the other one stopped.
      equal(there.state().upstreamCursor, "u1");
      equal(there.state().head, 1);
      await assertCode("lease-lost", () => here.append(numbered(2, 2), { fence: lease.fence, upstreamCursor: "u2" }));
      equal(await lease.renew(60_000), false);
      await there.append(numbered(2, 2), { fence: next!.fence, upstreamCursor: "u2" });
      // Publishing needs no lease.
      await here.append([newEvent("published")]);
      deepEqual(dataOf(await readAll(there)), ["1", "2", "published"]);
    },
  },
  {
    title: "each stream has its own lease",
    shared: true,
    async check({ store, open, join }) {
      await open("s");
      await open("t");
      const other = await join("b");
      await other.open("s", { retention: everything });
      await other.open("t", { retention: everything });
      ok(await store.coordination!.acquire("s", 60_000));
      ok(await other.coordination!.acquire("t", 60_000));
    },
  },
  {
    title: "a node's demand for a stream is known on all nodes until it is withdrawn or not renewed",
    shared: true,
    async check({ store, open, join }) {
      await open();
      const other = await join("b");
      await other.open("s", { retention: everything });
      const [here, there] = [store.coordination!, other.coordination!];
      equal(await here.hasDemand("s"), false);
      await there.declareDemand("s", 60_000);
      equal(await here.hasDemand("s"), true);
      await here.declareDemand("s", 60_000);
      await there.declareDemand("s", 0);
      equal(await there.hasDemand("s"), true);
      await here.declareDemand("s", 0);
      equal(await there.hasDemand("s"), false);
      await there.declareDemand("s", 100);
      await eventually("the end of the need", async () => !(await here.hasDemand("s")));
    },
  },
  {
    title: "events that retention removes on one node are removed on the others",
    shared: true,
    async check({ open, join }) {
      const here = await open("s", { events: 3 });
      const there = await (await join("b")).open("s", { retention: { ...everything, events: 3 } });
      await here.append(numbered(1, 10));
      await here.trim();
      await eventually("the new earliest", () => there.state().earliest === 8);
      const page = await there.read(0, { limit: 10 });
      equal(page.earliest, 8);
      deepEqual(dataOf(page.events), numbers(8, 10));
    },
  },
];

const everything = { age: undefined, events: undefined, bytes: undefined };

async function assertCode(code: string, action: () => Promise<unknown>): Promise<void> {
  const error: unknown = await action().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  equal((error as { readonly code?: string } | undefined)?.code, code);
}
