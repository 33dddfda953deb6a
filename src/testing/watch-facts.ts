import { deepEqual, equal } from "node:assert/strict";
import type { LogHint } from "../log/log.ts";
import { dataOf, numbered, numbers, readAll } from "./events.ts";
import { eventually } from "./eventually.ts";
import type { LogStoreFact } from "./log-store-fact.ts";

/** The facts about watching. */
export const watchFacts: readonly LogStoreFact[] = [
  {
    title: "a listener gets the appended events in order, as they can be read",
    async check({ open }) {
      const log = await open();
      const hints: LogHint[] = [];
      log.watch((hint) => hints.push(hint));
      await Promise.all(numbers(1, 20).map((number) => log.append(numbered(Number(number), Number(number)))));
      await eventually("a hint of the head", () => hints.at(-1)?.head === 20);
      deepEqual(
        hints.flatMap(({ events = [] }) => events),
        await readAll(log),
      );
      for (const { head, events } of hints) equal(head, events?.at(-1)?.seq);
    },
  },
  {
    title: "a listener is no longer called once it has unsubscribed, and others still are",
    async check({ open }) {
      const log = await open();
      const heard: number[] = [];
      let others = 0;
      const listener = ({ head }: LogHint): void => void heard.push(head);
      const unsubscribe = log.watch(listener);
      log.watch(({ head }) => (others = head));
      await log.append(numbered(1, 1));
      await eventually("the first hint", () => heard.length === 1);
      unsubscribe();
      unsubscribe();
      await log.append(numbered(2, 2));
      await eventually("the other's hint", () => others === 2);
      deepEqual(heard, [1]);
    },
  },
  {
    title: "one function that watches twice is called twice",
    async check({ open }) {
      const log = await open();
      let calls = 0;
      const listener = (): void => void calls++;
      const unsubscribe = log.watch(listener);
      log.watch(listener);
      await log.append(numbered(1, 1));
      await eventually("two calls", () => calls === 2);
      unsubscribe();
      await log.append(numbered(2, 2));
      await eventually("one more call", () => calls === 3);
    },
  },
  {
    title: "a trim notifies the watchers of the new earliest",
    async check({ open }) {
      const log = await open("s", { events: 3 });
      let last: LogHint | undefined;
      log.watch((hint) => (last = hint));
      await log.append(numbered(1, 10));
      await log.trim();
      await eventually("a hint of the trim", () => last?.earliest === 8);
      equal(last?.head, 10);
    },
  },
  {
    title: "a batch without events does not notify the watchers",
    async check({ open }) {
      const log = await open();
      const heads: number[] = [];
      log.watch(({ head }) => heads.push(head));
      await log.append([], { upstreamCursor: "u" });
      await log.append(numbered(1, 1));
      await eventually("a hint", () => heads.length > 0);
      deepEqual(heads, [1]);
    },
  },
  {
    title: "a listener that throws affects neither the append nor other listeners",
    async check({ open }) {
      const log = await open();
      let heard = 0;
      log.watch(() => {
        throw new Error("a listener's own");
      });
      log.watch(({ head }) => (heard = head));
      deepEqual(await log.append(numbered(1, 2)), { first: 1, last: 2, replayed: false });
      await eventually("the other's hint", () => heard === 2);
    },
  },
  {
    title: "a listener that appends does not change the order for other listeners",
    async check({ open }) {
      const log = await open();
      log.watch(({ head }) => {
        if (head < 5) void log.append(numbered(head + 1, head + 1));
      });
      const events: string[] = [];
      log.watch((hint) => events.push(...dataOf(hint.events ?? [])));
      await log.append(numbered(1, 1));
      await eventually("the last hint", () => events.length === 5);
      deepEqual(events, numbers(1, 5));
    },
  },
];
