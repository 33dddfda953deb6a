import { deepEqual, equal } from "node:assert/strict";
import { dataOf, newEvent, numbered, numbers, readAll } from "./events.ts";
import type { LogStoreFact } from "./log-store-fact.ts";

const once = { idempotency: { key: "k", fingerprint: "f" } };

/** The facts about closing a store and opening it again. */
export const reopenFacts: readonly LogStoreFact[] = [
  {
    title: "a store that was closed and opened again has the same logs",
    persistent: true,
    async check({ open, reopen }) {
      const before = await open("s", { events: 5 });
      const event = newEvent("x", { event: "trade", channel: "c", upstreamId: "u-1" });
      await before.append([...numbered(1, 6), { ...event, published: true }, event], { upstreamCursor: "u-1" });
      await before.trim();
      const events = await readAll(before, 3);
      await reopen();
      const after = await open("s", { events: 5 });
      equal(after.epoch, before.epoch);
      deepEqual(after.state(), before.state());
      deepEqual(await readAll(after, 3), events);
      deepEqual(
        [await after.find({ sourceId: "u-1" }), await after.find({ upstreamId: "u-1", published: true })],
        [8, 7],
      );
      deepEqual(await after.append(numbered(9, 9)), { first: 9, last: 9, replayed: false });
    },
  },
  {
    title: "a log whose events are all removed continues its numbers when it is opened again",
    persistent: true,
    async check({ open, reopen }) {
      const before = await open("s", { events: 0 });
      await before.append(numbered(1, 7));
      await before.trim();
      await reopen();
      const after = await open();
      deepEqual([after.state().head, after.state().earliest, after.epoch], [7, 8, before.epoch]);
      deepEqual(await after.append(numbered(8, 8)), { first: 8, last: 8, replayed: false });
    },
  },
  {
    title: "the upstream cursor is kept as the last append set or cleared it",
    persistent: true,
    async check({ open, reopen }) {
      for (const [upstreamCursor, expected] of [
        ["u-1", "u-1"],
        [undefined, "u-1"],
        ["", undefined],
        ["u-2", "u-2"],
      ] as const) {
        await (await open()).append([], { upstreamCursor });
        await reopen();
        equal((await open()).state().upstreamCursor, expected);
      }
    },
  },
  {
    title: "a changed retention applies to existing events",
    persistent: true,
    async check({ open, reopen }) {
      await (await open()).append(numbered(1, 20));
      await reopen();
      const log = await open("s", { events: 4 });
      await log.trim();
      deepEqual(dataOf(await readAll(log)), numbers(17, 20));
    },
  },
  {
    title: "an idempotency key is remembered when the log is opened again",
    persistent: true,
    async check({ open, reopen }) {
      await (await open()).append(numbered(1, 2), once);
      await reopen();
      deepEqual(await (await open()).append(numbered(1, 2), once), { first: 1, last: 2, replayed: true });
    },
  },
  {
    title: "time does not decrease if the clock is set back in between",
    persistent: true,
    async check({ open, reopen, pass, time }) {
      await (await open()).append(numbered(1, 1));
      await reopen();
      pass(-5_000);
      const log = await open();
      await log.append(numbered(2, 2));
      deepEqual(
        (await readAll(log)).map((event) => event.time),
        [time, time],
      );
    },
  },
  {
    title: "a store that does not keep its logs begins with a new epoch, so that no cursor of the old log matches",
    persistent: false,
    async check({ open, reopen }) {
      const before = await open();
      await before.append(numbered(1, 3));
      await reopen();
      const after = await open();
      equal(after.epoch === before.epoch, false);
      deepEqual([after.state().head, after.state().earliest], [0, 1]);
    },
  },
];
