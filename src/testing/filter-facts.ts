import { deepEqual, equal } from "node:assert/strict";
import { matches } from "../log/filter.ts";
import type { EventCondition, LogFilter, NewEvent } from "../log/log.ts";
import { newEvent, numbered, readAll } from "./events.ts";
import type { LogStoreFact } from "./log-store-fact.ts";

const channels = ["a", "b", "c", undefined];
const types = ["message", "trade", "quote", "spillway.gap", "spillway", "spillway/x"];

/** Every channel with every type, in an order that groups neither. */
const mixed: readonly NewEvent[] = Array.from({ length: 96 }, (_, index) =>
  newEvent(String(index), { channel: channels[(index * 7) % 4], event: types[(index * 5 + (index % 3)) % 6]! }),
);

/** A condition that needs the data of an event. */
function endsWith(text: string): EventCondition {
  return { key: text, matches: ({ data }) => data.endsWith(text) };
}

const filters: readonly LogFilter[] = [
  {},
  { channels: ["a"] },
  { channels: ["c", "a"] },
  { channels: ["a", "a"] },
  { channels: [] },
  { channels: ["unknown"] },
  { events: ["trade"] },
  { events: ["quote", "message"] },
  { events: ["trade", "spillway.gap"] },
  { events: [] },
  { events: ["unknown"] },
  { events: ["spillway/x", "spillway"] },
  { channels: ["a"], events: ["trade"] },
  { channels: ["a", "b"], events: ["quote", "trade"] },
  { channels: [], events: ["trade"] },
  { channels: ["a"], events: [] },
  { channels: Array.from({ length: 200 }, (_, index) => `c${index}`).concat("b") },
  { events: Array.from({ length: 200 }, (_, index) => `e${index}`).concat("trade") },
  { within: { channels: ["*"] } },
  { within: { channels: ["a", "*b*"], events: ["tr*"] } },
  { within: { channels: ["a", "b"], broadcast: true } },
  { within: { channels: ["c*"], events: ["quote"], broadcast: true } },
  { within: { channels: [], broadcast: true } },
  { within: { broadcast: true } },
  { channels: ["a"], within: { events: ["*e"] } },
  { events: ["trade"], within: { channels: ["a*", "c"], broadcast: true } },
  { where: [endsWith("1"), endsWith("11")] },
  { channels: ["a", "b"], where: [endsWith("3")] },
  { events: ["trade"], within: { channels: ["*"] }, where: [endsWith("3")] },
];

/** The facts about filters. */
export const filterFacts: readonly LogStoreFact[] = [
  ...filters.map(
    (filter) =>
      ({
        title: `all matching events are read in order, with pages of any size: ${JSON.stringify(filter).slice(0, 80)}`,
        async check({ open }) {
          const log = await open();
          await log.append(mixed);
          const wanted = mixed.filter((event) => matches(filter, event)).map(({ data }) => Number(data) + 1);
          for (const limit of [1, 3, 1_000]) {
            const events = await readAll(log, 0, filter, limit);
            deepEqual(
              events.map(({ seq }) => seq),
              wanted,
            );
          }
        },
      }) satisfies LogStoreFact,
  ),
  {
    title: "if few events match, pages continue to the head",
    async check({ open }) {
      const log = await open();
      const batch = Array.from({ length: 3_000 }, (_, index) =>
        newEvent("x", { channel: `c${index % 2}`, event: "t" }),
      );
      batch[1_500] = newEvent("needle", { channel: "c0", event: "rare" });
      await log.append(batch);
      for (const filter of [{ events: ["rare"] }, { channels: ["c0"], events: ["rare"] }, { channels: ["none"] }]) {
        deepEqual(
          (await readAll(log, 0, filter, 10)).map(({ seq }) => seq),
          filter.events ? [1_501] : [],
        );
      }
    },
  },
  {
    title: "a page scans at most a few thousand events, and reports how far it got",
    async check({ open }) {
      const log = await open();
      for (let batch = 0; batch < 16; batch++) await log.append(numbered(1, 1_000));
      const filter = { within: { channels: ["none*"] } };
      const page = await log.read(0, { filter, limit: 10 });
      deepEqual([page.events, page.scanned > 0 && page.scanned <= 6_000], [[], true]);
      deepEqual(await readAll(log, 0, filter), []);
    },
  },
  {
    title: "a full page ends at its last event",
    async check({ open }) {
      const log = await open();
      await log.append(mixed);
      const page = await log.read(0, { filter: { channels: ["b"] }, limit: 2 });
      equal(page.events.length, 2);
      equal(page.scanned, page.events.at(-1)?.seq);
    },
  },
];
