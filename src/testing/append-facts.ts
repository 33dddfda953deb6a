import { deepEqual, equal } from "node:assert/strict";
import { eventBytes } from "../log/event-bytes.ts";
import { dataOf, newEvent, numbered, numbers, readAll } from "./events.ts";
import type { LogStoreFact } from "./log-store-fact.ts";

const published = true as const;

/** The facts about appending. */
export const appendFacts: readonly LogStoreFact[] = [
  {
    title: "a new log is empty and has an epoch of its own",
    async check({ open }) {
      const [one, other] = [await open("one"), await open("other")];
      deepEqual(one.state(), {
        head: 0,
        earliest: 1,
        upstreamCursor: undefined,
        events: 0,
        bytes: 0,
        lastTime: 0,
      });
      equal(/^[0-9a-z]{1,16}$/.test(one.epoch), true);
      equal(one.epoch === other.epoch, false);
      equal(one.stream, "one");
    },
  },
  {
    title: "numbers start at 1 and have no gaps",
    async check({ open }) {
      const log = await open();
      deepEqual(await log.append(numbered(1, 3)), { first: 1, last: 3, replayed: false });
      deepEqual(await log.append(numbered(4, 4)), { first: 4, last: 4, replayed: false });
      const events = await readAll(log);
      deepEqual(
        events.map(({ seq }) => seq),
        [1, 2, 3, 4],
      );
      deepEqual(dataOf(events), numbers(1, 4));
    },
  },
  {
    title: "concurrent batches are not interleaved and get numbers in the order of the calls",
    async check({ open }) {
      const log = await open();
      const sizes = Array.from({ length: 60 }, (_, index) => 1 + (index % 5));
      let sum = 0;
      const batches = sizes.map((size) => numbered(sum + 1, (sum += size)));
      const results = await Promise.all(batches.map((batch) => log.append(batch)));
      let next = 1;
      for (const [index, { first, last }] of results.entries()) {
        deepEqual([first, last], [next, next + sizes[index]! - 1]);
        next = last + 1;
      }
      deepEqual(dataOf(await readAll(log)), numbers(1, sum));
    },
  },
  {
    title: "an event is read with all its fields, its origin, its number and its time",
    async check({ open, time }) {
      const log = await open();
      const event = newEvent("line 1\nline 2", { event: "trade", channel: "btc-usd", upstreamId: "u-1" });
      const events = [event, newEvent(""), { ...event, published }, newEvent("", { published })];
      await log.append(events);
      const logged = await readAll(log);
      for (const [index, each] of events.entries()) deepEqual(logged[index], { seq: index + 1, time, ...each });
      equal(logged.length, events.length);
    },
  },
  {
    title: "time never decreases, even if the clock is set back",
    async check({ open, pass, time }) {
      const log = await open();
      await log.append(numbered(1, 1));
      pass(-60_000);
      await log.append(numbered(2, 2));
      pass(120_000);
      await log.append(numbered(3, 3));
      const times = (await readAll(log)).map((event) => event.time - time);
      deepEqual(times, [0, 0, 60_000]);
      equal(log.state().lastTime - time, 60_000);
    },
  },
  {
    title: "the upstream cursor is stored with the events, kept by appends without one, and cleared by an empty one",
    async check({ open }) {
      const log = await open();
      await log.append(numbered(1, 2), { upstreamCursor: "u-2" });
      equal(log.state().upstreamCursor, "u-2");
      await log.append(numbered(3, 3));
      equal(log.state().upstreamCursor, "u-2");
      await log.append(numbered(4, 4), { upstreamCursor: "" });
      equal(log.state().upstreamCursor, undefined);
    },
  },
  {
    title: "an empty batch takes no number and can move the upstream cursor",
    async check({ open }) {
      const log = await open();
      deepEqual(await log.append([], { upstreamCursor: "u-9" }), { first: 1, last: 0, replayed: false });
      await log.append(numbered(1, 3));
      deepEqual(await log.append([]), { first: 4, last: 3, replayed: false });
      const { head, upstreamCursor } = log.state();
      deepEqual([head, upstreamCursor], [3, "u-9"]);
    },
  },
  {
    title: "the state counts the events and bytes held",
    async check({ open }) {
      const log = await open();
      const batch = [newEvent("ä€", { channel: "c" }), newEvent("x", { event: "trade", upstreamId: "id" })];
      await log.append(batch);
      const { events, bytes } = log.state();
      deepEqual([events, bytes], [2, batch.reduce((sum, event) => sum + eventBytes(event), 0)]);
      equal(bytes, 128 + 5 + 7 + 1 + (128 + 1 + 5 + 2));
    },
  },
  {
    title: "streams have their own numbers, events and cursors",
    async check({ open }) {
      const [one, other] = [await open("one"), await open("other")];
      await Promise.all([
        one.append(numbered(1, 3), { upstreamCursor: "u-3" }),
        other.append([newEvent("x", { channel: "c", upstreamId: "u-1" })]),
        one.append(numbered(4, 5)),
      ]);
      deepEqual(dataOf(await readAll(one)), numbers(1, 5));
      deepEqual(dataOf(await readAll(other)), ["x"]);
      deepEqual([one.state().head, other.state().head], [5, 1]);
      deepEqual([one.state().upstreamCursor, other.state().upstreamCursor], ["u-3", undefined]);
      deepEqual([await one.find({ upstreamId: "u-1" }), await other.find({ upstreamId: "u-1" })], [undefined, 1]);
    },
  },
  {
    title: "opening a stream twice gives the same log",
    async check({ open }) {
      const one = await open();
      await one.append(numbered(1, 2));
      const again = await open();
      equal(again.epoch, one.epoch);
      deepEqual(await again.append(numbered(3, 3)), { first: 3, last: 3, replayed: false });
      equal(one.state().head, 3);
    },
  },
];
