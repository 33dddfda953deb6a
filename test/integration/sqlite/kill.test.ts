import { afterEach, beforeEach, expect, test } from "vitest";
import { createSqliteStore } from "../../../src/log/sqlite/index.ts";
import { startProgram } from "../../support/process.ts";
import { createFolder, type Place } from "./places.ts";
import { openAll, readAll } from "./stores.ts";

const rounds = 6;
const script = "test/integration/sqlite/appender.js";

let place: Place;

beforeEach(async () => {
  place = await createFolder();
});

afterEach(() => place.remove());

test(`after kill -9 during appends and trims, ${rounds} times, every resolved append is stored completely`, async () => {
  for (let round = 0; round < rounds; round++) {
    const appender = startProgram(script, [place.path]);
    await appender.printed("\n");
    const enough = appender.output().length + Math.random() * 20_000;
    await expect.poll(() => appender.output().length, { interval: 1 }).toBeGreaterThan(enough);
    await appender.kill("SIGKILL");
    const resolved = Math.max(...appender.output().trim().split("\n").slice(0, -1).map(Number));
    await expectWhole(resolved);
  }
});

/** Checks that events have their assigned numbers, and that the cursor is that of the last complete batch. */
async function expectWhole(resolved: number): Promise<void> {
  const store = await createSqliteStore({ path: place.path });
  const log = await openAll(store);
  const { head, earliest, upstreamCursor, bytes } = log.state();
  expect(head).toBeGreaterThanOrEqual(resolved);
  expect(upstreamCursor).toBe(String(head));
  const events = await readAll(log);
  expect(events.map(({ data }) => Number(data))).toEqual(
    Array.from({ length: head - earliest + 1 }, (_, index) => earliest + index),
  );
  expect(events.every(({ seq, data }) => data === String(seq))).toBe(true);
  expect(bytes).toBe(events.reduce((sum, { data }) => sum + 128 + data.length + "message".length + "c0".length, 0));
  await store.close();
}
