import { deepEqual, equal, rejects } from "node:assert/strict";
import { numbered, readAll, dataOf } from "./events.ts";
import type { LogStoreFact } from "./log-store-fact.ts";

const once = { idempotency: { key: "k", fingerprint: "f" } };

/** The facts about removing logs. */
export const removalFacts: readonly LogStoreFact[] = [
  {
    title: "a log that was removed begins anew when it is opened again, with another epoch",
    removes: true,
    async check({ store, open }) {
      const before = await open("a");
      await before.append(numbered(1, 2_500), { ...once, upstreamCursor: "u-1" });
      await store.removal!.remove("a");
      const after = await open("a");
      equal(after.epoch === before.epoch, false);
      deepEqual([after.state().head, after.state().events, after.state().upstreamCursor], [0, 0, undefined]);
      deepEqual(await after.append(numbered(1, 2), once), { first: 1, last: 2, replayed: false });
    },
  },
  {
    title: "a log that was removed refuses every call, also once another log has its name",
    removes: true,
    async check({ store, open }) {
      const removed = await open("a");
      await removed.append(numbered(1, 1));
      await store.removal!.remove("a");
      await (await open("a")).append(numbered(1, 3));
      await rejects(removed.append(numbered(2, 2)), { name: "SpillwayError" });
      await rejects(removed.read(0, { limit: 10 }), { name: "SpillwayError" });
    },
  },
  {
    title: "a log that one node has removed refuses calls on the others, and begins anew there",
    removes: true,
    shared: true,
    async check({ open, join }) {
      const log = await open("a");
      await log.append(numbered(1, 3));
      const other = await join("b");
      await other.removal!.remove("a");
      await rejects(log.append(numbered(4, 4)), { name: "SpillwayError" });
      const next = await open("a");
      equal(next.epoch === log.epoch, false);
      deepEqual(await next.append(numbered(1, 1)), { first: 1, last: 1, replayed: false });
    },
  },
  {
    title: "a log with another head or epoch than expected is not removed",
    removes: true,
    async check({ store, open }) {
      const { close, has, remove } = store.removal!;
      const log = await open("a");
      const { epoch } = log;
      await log.append(numbered(1, 2));
      equal(await remove("a", { epoch, head: 1 }), false);
      equal(await remove("a", { epoch: `${epoch.slice(1)}0`, head: 2 }), false);
      const kept = await open("a");
      deepEqual([kept.epoch, dataOf(await readAll(kept))], [epoch, ["1", "2"]]);
      await close("a");
      deepEqual([await remove("a", { epoch, head: 2 }), await has("a")], [true, false]);
      deepEqual([await remove("a", { epoch, head: 2 }), await has("a")], [true, false]);
    },
  },
  {
    title: "a log to which another node has appended is not removed",
    removes: true,
    shared: true,
    async check({ open, join }) {
      const log = await open("a");
      await log.append(numbered(1, 3));
      const other = await join("b");
      await log.append(numbered(4, 4));
      equal(await other.removal!.remove("a", { epoch: log.epoch, head: 3 }), false);
      deepEqual(await log.append(numbered(5, 5)), { first: 5, last: 5, replayed: false });
      deepEqual(dataOf(await readAll(log)), ["1", "2", "3", "4", "5"]);
    },
  },
  {
    title: "a log that was closed is in the store with its events, and refuses calls until it is opened again",
    removes: true,
    async check({ store, open }) {
      const { close, has, list } = store.removal!;
      const closed = await open("a");
      await closed.append(numbered(1, 3));
      await close("a");
      await close("never");
      await rejects(closed.append(numbered(4, 4)), { name: "SpillwayError" });
      deepEqual([await has("a"), await has("never"), await list("")], [true, false, ["a"]]);
      const again = await open("a");
      equal(again.epoch, closed.epoch);
      deepEqual(await again.append(numbered(4, 4)), { first: 4, last: 4, replayed: false });
      deepEqual(dataOf(await readAll(again)), ["1", "2", "3", "4"]);
    },
  },
  {
    title: "removing a log leaves the others as they are, and lists them",
    removes: true,
    async check({ store, open }) {
      const { list, remove } = store.removal!;
      const kept = await open("keep.1");
      await kept.append(numbered(1, 3));
      await open("gone.1");
      await open("gone.2");
      deepEqual((await list("gone.")).toSorted(), ["gone.1", "gone.2"]);
      await remove("gone.1");
      await remove("gone.2");
      await remove("gone.3");
      deepEqual(await list("gone."), []);
      deepEqual(await list("keep."), ["keep.1"]);
      deepEqual(dataOf(await readAll(kept)), ["1", "2", "3"]);
      deepEqual(await kept.append(numbered(4, 4)), { first: 4, last: 4, replayed: false });
    },
  },
  {
    title: "a log that was removed is not in the store when it is opened again, and the others are whole",
    removes: true,
    persistent: true,
    async check({ store, open, reopen }) {
      await (await open("gone")).append(numbered(1, 5));
      await (await open("kept")).append(numbered(1, 3));
      await store.removal!.remove("gone");
      const added = await open("added");
      await added.append(numbered(1, 2));
      await reopen();
      deepEqual(dataOf(await readAll(await open("kept"))), ["1", "2", "3"]);
      equal((await open("added")).epoch, added.epoch);
      equal((await open("gone")).state().head, 0);
    },
  },
];
