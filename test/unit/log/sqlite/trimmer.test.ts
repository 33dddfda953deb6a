import { expect, test } from "vitest";
import type { Retention } from "../../../../src/log/log.ts";
import { loadDriver } from "../../../../src/log/sqlite/driver.ts";
import { prepareSchema } from "../../../../src/log/sqlite/schema.ts";
import { createStreams } from "../../../../src/log/sqlite/streams.ts";
import { createTrimmer } from "../../../../src/log/sqlite/trimmer.ts";

const { DatabaseSync } = await loadDriver();

/** A stream that holds events of these times, each of one byte, and the trimmer of its database. */
function createScene(retention: Partial<Retention>, ...times: number[]) {
  const database = new DatabaseSync(":memory:", { readOnly: false });
  prepareSchema(database);
  const streams = createStreams(database);
  const bounds: Retention = { age: undefined, events: undefined, bytes: undefined, ...retention };
  const { id } = streams.open("s", bounds);
  const insert = database.prepare(
    "INSERT INTO events (stream, seq, time, event, data, bytes) VALUES (?, ?, ?, 'message', 'x', 1)",
  );
  for (const [index, time] of times.entries()) insert.run(id, index + 1, time);
  database.exec(`UPDATE streams SET head = ${times.length}, bytes = ${times.length}`);
  const open = (): void => streams.set(streams.open("s", bounds));
  open();
  const trimmer = createTrimmer(database, streams);
  return {
    isDue: (now: number) => trimmer.isDue(streams.get(id), now),
    step: (now: number, limit = 500) => trimmer.step(streams.get(id), now, limit),
    grow: (time: number) => {
      insert.run(id, streams.get(id).head + 1, time);
      database.exec("UPDATE streams SET head = head + 1, bytes = bytes + 1");
      open();
    },
  };
}

test("a stream is due before it was looked at, and then when its oldest event has reached the age", () => {
  const { isDue, step } = createScene({ age: 10 }, 100, 105);
  expect(isDue(105)).toBe(true);
  expect(step(105)).toBe(0);
  expect([isDue(105), isDue(110), isDue(111)]).toEqual([false, false, true]);
  expect(step(111)).toBe(1);
  expect([isDue(115), isDue(116)]).toEqual([false, true]);
});

test("a stream of which nothing is held is not due, and one that grows beyond its number is", () => {
  const { isDue, step, grow } = createScene({ events: 2 });
  expect(isDue(1e6)).toBe(false);
  grow(1);
  grow(2);
  step(2);
  expect(isDue(1e6)).toBe(false);
  grow(3);
  expect(isDue(3)).toBe(true);
});

test("a step that stops at its limit leaves the stream due, and what it leaves is no older than what it took", () => {
  const { isDue, step } = createScene({ age: 10 }, 100, 101, 102, 200);
  expect(step(150, 2)).toBe(2);
  expect(isDue(150)).toBe(true);
  expect(step(150, 2)).toBe(1);
  expect(step(150, 2)).toBe(0);
  expect([isDue(150), isDue(211)]).toEqual([false, true]);
});
