import { deepEqual, equal } from "node:assert/strict";
import { dataOf, newEvent, numbered, numbers, readAll } from "./events.ts";
import type { LogStoreFact } from "./log-store-fact.ts";

/** The facts about reading. */
export const readFacts: readonly LogStoreFact[] = [
  {
    title: "a page begins right after its position and ends at its limit",
    async check({ open }) {
      const log = await open();
      await log.append(numbered(1, 10));
      const page = await log.read(3, { limit: 4 });
      deepEqual(dataOf(page.events), numbers(4, 7));
      deepEqual([page.scanned, page.earliest], [7, 1]);
    },
  },
  {
    title: "a page that reaches the head reports this",
    async check({ open }) {
      const log = await open();
      equal((await log.read(0, { limit: 5 })).scanned, 0);
      await log.append(numbered(1, 10));
      for (const after of [7, 9, 10]) {
        const page = await log.read(after, { limit: 5 });
        deepEqual(dataOf(page.events), numbers(after + 1, 10));
        equal(page.scanned, 10);
      }
    },
  },
  {
    title: "a position beyond the head has no events after it and is not moved back",
    async check({ open }) {
      const log = await open();
      await log.append(numbered(1, 3));
      const page = await log.read(8, { limit: 5 });
      deepEqual([page.events, page.scanned], [[], 8]);
    },
  },
  {
    title: "pages of any size add up to the log",
    async check({ open }) {
      const log = await open();
      await log.append(numbered(1, 25));
      for (const limit of [1, 2, 7, 24, 25, 26]) {
        deepEqual(dataOf(await readAll(log, 0, undefined, limit)), numbers(1, 25));
      }
    },
  },
  {
    title: "a page ends once it holds maxBytes, but has at least one event",
    async check({ open }) {
      const log = await open();
      await log.append(Array.from({ length: 5 }, () => newEvent("x".repeat(93))));
      for (const [maxBytes, events] of [
        [1, 1],
        [228, 1],
        [229, 2],
        [684, 3],
        [10_000, 5],
      ] as const) {
        const page = await log.read(0, { limit: 100, maxBytes });
        deepEqual([page.events.length, page.scanned], [events, events]);
      }
    },
  },
  {
    title: "a read sees every append that has resolved",
    async check({ open }) {
      const log = await open();
      for (let number = 1; number <= 30; number++) {
        await log.append(numbered(number, number));
        const page = await log.read(number - 1, { limit: 10 });
        deepEqual(dataOf(page.events), [String(number)]);
      }
    },
  },
  {
    title: "a page from before the held events begins with the first held event, and reports its number",
    async check({ open }) {
      const log = await open("s", { events: 4 });
      await log.append(numbered(1, 10));
      await log.trim();
      const page = await log.read(2, { limit: 2 });
      deepEqual(dataOf(page.events), numbers(7, 8));
      deepEqual([page.scanned, page.earliest], [8, 7]);
    },
  },
  {
    title: "a page is consistent with its earliest while the log grows and is trimmed",
    async check({ open }) {
      const log = await open("s", { events: 50 });
      let writing = true;
      const writer = (async () => {
        for (let sum = 0; sum < 2_000; sum += 10) {
          await log.append(numbered(sum + 1, sum + 10));
          if (sum % 100 === 0) await log.trim();
        }
        writing = false;
      })();
      for (let after = 0; writing || after < log.state().head;) {
        const page = await log.read(after, { limit: 20 });
        const next = Math.max(after + 1, page.earliest);
        deepEqual(dataOf(page.events), numbers(next, next + page.events.length - 1));
        after = page.scanned;
        // A store in memory may answer without ever yielding to the writer.
        await new Promise((resolve) => setImmediate(resolve));
      }
      await writer;
    },
  },
];
