import { deepEqual, equal, rejects } from "node:assert/strict";
import { maxAlike, type LogFilter, type LogPosition, type NewEvent } from "../log/log.ts";
import { newEvent, numbered } from "./events.ts";
import type { LogStoreFact } from "./log-store-fact.ts";

const published = true as const;

/** The facts about finding a position. */
export const findFacts: readonly LogStoreFact[] = [
  {
    title: "the position of an upstream id is after the first held event with it; an unknown id is not found",
    async check({ open }) {
      const log = await open("s", { events: 4 });
      await log.append(["a", "b", "a", "c"].map((id) => newEvent("x", { upstreamId: id })));
      deepEqual(
        [await log.find({ upstreamId: "a" }), await log.find({ upstreamId: "b" }), await log.find({ upstreamId: "z" })],
        [1, 2, undefined],
      );
      await log.append(numbered(5, 6));
      await log.trim();
      deepEqual([await log.find({ upstreamId: "a" }), await log.find({ upstreamId: "b" })], [3, undefined]);
      await log.append([newEvent("x", { upstreamId: "a" })]);
      await log.trim();
      equal(await log.find({ upstreamId: "a" }), 7);
      await log.append(numbered(8, 11));
      await log.trim();
      equal(await log.find({ upstreamId: "a" }), undefined);
    },
  },
  {
    title:
      "with a filter, the position of an id is after the first matching event with it; without a match it is not found",
    async check({ open }) {
      const log = await open();
      const channels = [undefined, "a", "user:1", "b", "a"];
      await log.append(
        channels.map((channel, index) => newEvent("x", { channel, event: `e${index}`, upstreamId: "u" })),
      );
      const filters: readonly [LogFilter | undefined, number | undefined][] = [
        [undefined, 1],
        [{ channels: ["a"] }, 2],
        [{ channels: ["b"] }, 4],
        [{ channels: ["a"], events: ["e4"] }, 5],
        [{ within: { channels: ["user:*"] } }, 3],
        [{ within: { channels: ["user:*"], events: ["e0"] } }, undefined],
        [{ channels: ["none"] }, undefined],
        [{ where: [{ key: "e2", matches: ({ event, data }) => event === "e2" && data === "x" }] }, 3],
        [{ channels: ["a"], where: [{ key: "y", matches: ({ data }) => data === "y" }] }, undefined],
      ];
      for (const [filter, after] of filters)
        equal(await log.find({ upstreamId: "u", filter }), after, JSON.stringify(filter));
    },
  },
  {
    title: "only the first events with the same id are examined",
    async check({ open }) {
      const filter = { channels: ["b"] };
      const alike = (count: number, channel: string, origin?: true): NewEvent[] =>
        Array.from({ length: count }, () => newEvent("x", { channel, upstreamId: "u", published: origin }));
      const log = await open();
      await log.append([...alike(maxAlike - 1, "a", published), ...alike(1, "b", published)]);
      equal(await log.find({ upstreamId: "u", published, filter }), maxAlike);
      const { last } = await log.append([...alike(maxAlike - 1, "a"), ...alike(1, "b")]);
      equal(await log.find({ upstreamId: "u", filter }), last);
      const other = await open("t");
      await other.append([...alike(maxAlike, "a"), ...alike(1, "b")]);
      equal(await other.find({ upstreamId: "u", filter }), undefined);
    },
  },
  {
    title: "ids of the source and ids of publishers are separate",
    async check({ open }) {
      const log = await open("s", { events: 6 });
      const [ofSource, ofPublisher] = [
        newEvent("x", { upstreamId: "u" }),
        newEvent("x", { upstreamId: "u", published }),
      ];
      await log.append([ofPublisher]);
      const found = async (): Promise<(number | undefined)[]> => [
        await log.find({ sourceId: "u" }),
        await log.find({ upstreamId: "u" }),
        await log.find({ upstreamId: "u", published }),
      ];
      deepEqual(await found(), [undefined, undefined, 1]);
      await log.append([newEvent("", { published }), ofSource, ofPublisher, ofSource, ofPublisher]);
      deepEqual(await found(), [5, 3, 1]);
      await log.append(numbered(7, 9));
      await log.trim();
      deepEqual(await found(), [5, 5, 4]);
      await log.append(numbered(10, 11));
      await log.trim();
      deepEqual(await found(), [undefined, undefined, 6]);
    },
  },
  {
    title: "the position of a time is before the first held event at or after it",
    async check({ open, pass, time }) {
      const log = await open("s", { events: 6 });
      equal(await log.find({ since: time }), 0);
      for (let batch = 0; batch < 4; batch++) {
        await log.append(numbered(1, 2));
        pass(1_000);
      }
      await log.trim();
      const found = await Promise.all(
        [-1, 0, 1_000, 1_001, 2_000, 3_000, 3_001].map((after) => log.find({ since: time + after })),
      );
      deepEqual(found, [2, 2, 2, 4, 4, 6, 8]);
    },
  },
  {
    title: "the last events, or the last that match a filter, are found as far as they are held",
    async check({ open }) {
      const log = await open("s", { events: 8 });
      const events = Array.from({ length: 10 }, (_, index) =>
        newEvent(`${index}`, {
          channel: index % 2 === 0 ? "even" : "odd",
          event: index % 5 === 0 ? "five" : "message",
        }),
      );
      equal(await log.find({ last: 3 }), 0);
      await log.append(events);
      await log.trim();
      const positions: readonly [LogPosition, number][] = [
        [{ last: 0 }, 10],
        [{ last: 1 }, 9],
        [{ last: 3 }, 7],
        [{ last: 8 }, 2],
        [{ last: 100 }, 2],
        [{ last: 1, filter: { channels: ["even"] } }, 8],
        [{ last: 3, filter: { channels: ["even"] } }, 4],
        [{ last: 100, filter: { channels: ["even"] } }, 2],
        [{ last: 1, filter: { events: ["five"] } }, 5],
        [{ last: 2, filter: { channels: ["even", "odd"], events: ["five"] } }, 5],
        [{ last: 5, filter: { channels: ["none"] } }, 10],
        [{ last: 2, filter: { within: { channels: ["e*n"] } } }, 6],
        [{ last: 1, filter: { events: ["five"], within: { channels: ["even"], broadcast: true } } }, 10],
        [{ last: 2, filter: { where: [{ key: "data < 7", matches: ({ data }) => Number(data) < 7 }] } }, 5],
        [{ last: 1, filter: { channels: ["even"], where: [{ key: "4", matches: ({ data }) => data === "4" }] } }, 4],
      ];
      for (const [position, after] of positions) equal(await log.find(position), after, JSON.stringify(position));
    },
  },
  {
    title: "a search for the last matching events ends when its signal aborts, and does not block the event loop",
    async check({ open }) {
      const log = await open();
      for (let batch = 0; batch < 16; batch++) await log.append(numbered(1, 1_000));
      const filter = { within: { channels: ["none*"] } };
      const gone = new AbortController();
      const walk = log.find({ last: 1, filter }, { signal: gone.signal });
      setImmediate(() => gone.abort());
      await rejects(walk, { name: "AbortError" });
      equal(await log.find({ last: 1, filter }), 16_000);
    },
  },
  {
    title: "Spillway's own events count among the last events whatever the filter",
    async check({ open }) {
      const log = await open();
      await log.append([newEvent("1", { channel: "a" }), newEvent("2", { event: "spillway.gap" }), newEvent("3")]);
      equal(await log.find({ last: 1, filter: { channels: ["a"] } }), 1);
      equal(await log.find({ last: 2, filter: { channels: ["a"] } }), 0);
      equal(await log.find({ last: 1, filter: { where: [{ key: "none", matches: () => false }] } }), 1);
    },
  },
];
