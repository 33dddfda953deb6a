import { expect, test } from "vitest";
import type { TrimBounds } from "../../../../src/log/engine/driver.ts";
import { loadDriver } from "../../../../src/log/sqlite/driver.ts";
import { prepareSchema } from "../../../../src/log/sqlite/schema.ts";
import { createStreams } from "../../../../src/log/sqlite/streams.ts";
import { createTrimmer } from "../../../../src/log/sqlite/trimmer.ts";

const { DatabaseSync } = await loadDriver();

/** A stream that holds events of these times, each of one byte, and the trimmer of its database. */
function createScene(...times: number[]) {
  const database = new DatabaseSync(":memory:", { readOnly: false });
  prepareSchema(database);
  const streams = createStreams(database);
  const { id } = streams.open("s");
  const insert = database.prepare(
    "INSERT INTO events (stream, seq, time, event, data, bytes) VALUES (?, ?, ?, 'message', 'x', 1)",
  );
  for (const [index, time] of times.entries()) insert.run(id, index + 1, time);
  database.exec(`UPDATE streams SET head = ${times.length}, bytes = ${times.length}`);
  streams.set(streams.open("s"));
  const trim = createTrimmer(database, streams);
  return {
    row: () => streams.get(id),
    step(bounds: Partial<TrimBounds>, limit = 500): number {
      return trim(streams.get(id), { before: undefined, events: undefined, bytes: undefined, ...bounds }, limit);
    },
  };
}

test("a step removes the events before a time, and keeps those at that time", () => {
  const { step, row } = createScene(100, 105, 110);
  expect(step({ before: 100 })).toBe(0);
  expect(step({ before: 105 })).toBe(1);
  expect(row()).toMatchObject({ earliest: 2, head: 3, bytes: 2 });
});

test("a step keeps a number of events, and removes nothing from a stream without events", () => {
  expect(createScene().step({ events: 0, before: 1e6 })).toBe(0);
  const { step, row } = createScene(1, 2, 3);
  expect(step({ events: 2 })).toBe(1);
  expect(row()).toMatchObject({ earliest: 2, head: 3 });
});

test("a step stops at its limit, and the next one removes the rest", () => {
  const { step } = createScene(100, 101, 102, 200);
  expect([step({ before: 140 }, 2), step({ before: 140 }, 2), step({ before: 140 }, 2)]).toEqual([2, 1, 0]);
});
