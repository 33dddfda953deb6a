import { deepEqual, equal } from "node:assert/strict";
import { dataOf, newEvent, numbered, numbers, readAll } from "./events.ts";
import type { LogStoreFact } from "./log-store-fact.ts";
import { eventually } from "./eventually.ts";

/** The facts about retention. */
export const retentionFacts: readonly LogStoreFact[] = [
  {
    title: "by number: the latest events are kept",
    async check({ open }) {
      const log = await open("s", { events: 1_000 });
      await log.append(numbered(1, 3_500));
      await log.trim();
      const { head, earliest, events } = log.state();
      deepEqual([head, earliest, events], [3_500, 2_501, 1_000]);
      deepEqual(dataOf(await readAll(log, 2_500)), numbers(2_501, 3_500));
      equal(await log.trim(), 0);
    },
  },
  {
    title: "by bytes: as many of the latest events as fit are kept",
    async check({ open }) {
      const log = await open("s", { bytes: 700 });
      await log.append(Array.from({ length: 10 }, () => newEvent("x".repeat(93))));
      await log.trim();
      const { earliest, events, bytes } = log.state();
      deepEqual([earliest, events, bytes], [8, 3, 3 * (128 + 100)]);
      await log.append([newEvent("y".repeat(194))]);
      await log.trim();
      deepEqual([log.state().earliest, log.state().bytes], [10, 2 * 128 + 100 + 201]);
    },
  },
  {
    title: "by bytes: an event without data counts as 128 bytes plus its type",
    async check({ open }) {
      const log = await open("s", { bytes: 100 * (128 + 7) });
      await log.append(Array.from({ length: 1_500 }, () => newEvent("")));
      await log.trim();
      const { events, bytes } = log.state();
      deepEqual([events, bytes], [100, 100 * (128 + 7)]);
      deepEqual((await readAll(log)).length, 100);
    },
  },
  {
    title: "by age: older events are removed, one exactly as old is kept",
    async check({ open, pass }) {
      const log = await open("s", { age: 10_000 });
      await log.append(numbered(1, 2));
      pass(6_000);
      await log.append(numbered(3, 4));
      pass(4_000);
      await log.trim();
      equal(log.state().earliest, 1);
      pass(1);
      await log.trim();
      deepEqual(dataOf(await readAll(log)), numbers(3, 4));
      equal(log.state().earliest, 3);
    },
  },
  {
    title: "the strictest of several limits applies",
    async check({ open, pass }) {
      const log = await open("s", { age: 1_000, events: 5, bytes: 1_000_000 });
      await log.append(numbered(1, 10));
      await log.trim();
      equal(log.state().events, 5);
      pass(1_001);
      await log.append(numbered(11, 11));
      await log.trim();
      deepEqual(dataOf(await readAll(log)), ["11"]);
    },
  },
  {
    title: "the upstream cursor of an empty append is kept while watchers have not been notified of trimmed events",
    async check({ open }) {
      for (let round = 0; round < 10; round++) {
        const log = await open(`s${round}`, { events: 1 });
        await log.append(numbered(1, 2));
        await log.append([], { upstreamCursor: "u" });
        await log.read(0, { limit: 1 });
        equal(log.state().upstreamCursor, "u");
      }
    },
  },
  {
    title: "a log whose events are all removed keeps its head, and its numbers continue",
    async check({ open, pass, time }) {
      const log = await open("s", { age: 1_000 });
      await log.append(numbered(1, 5), { upstreamCursor: "u-5" });
      pass(1_001);
      await log.trim();
      deepEqual(log.state(), {
        head: 5,
        earliest: 6,
        upstreamCursor: "u-5",
        events: 0,
        bytes: 0,
        lastTime: time,
      });
      deepEqual(await log.read(2, { limit: 10 }), { events: [], scanned: 5, earliest: 6 });
      deepEqual([await log.find({ since: 0 }), await log.find({ last: 3 })], [5, 5]);
      deepEqual(await log.append(numbered(6, 6)), { first: 6, last: 6, replayed: false });
      deepEqual(dataOf(await readAll(log, 5)), ["6"]);
    },
  },
  {
    title: "a store trims automatically",
    async check({ open, pass }) {
      const log = await open("s", { age: 1_000, events: 100 });
      await log.append(numbered(1, 1_500));
      await eventually("the number is held", () => log.state().events === 100);
      pass(1_001);
      await eventually("the age is held", () => log.state().events === 0);
    },
  },
  {
    title: "opening a stream again applies its new retention",
    async check({ open }) {
      const log = await open("s", { events: 8 });
      await log.append(numbered(1, 10));
      await log.trim();
      equal(log.state().earliest, 3);
      await (await open("s", { events: 2 })).trim();
      equal(log.state().earliest, 9);
    },
  },
  {
    title: "concurrent appends, reads and trims keep the log consistent",
    async check({ open }) {
      const log = await open("s", { events: 700 });
      const work: Promise<unknown>[] = [];
      for (let sum = 0; sum < 5_000; sum += 100) {
        work.push(log.append(numbered(sum + 1, sum + 100)));
        if (sum % 1_000 === 0) work.push(log.trim(), log.read(sum, { limit: 50 }));
      }
      await Promise.all(work);
      await log.trim();
      const { head, earliest, events } = log.state();
      deepEqual([head, earliest, events], [5_000, 4_301, 700]);
      deepEqual(dataOf(await readAll(log, 4_300)), numbers(4_301, 5_000));
    },
  },
];
