import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Log, LogReaders, LogStore } from "../../../src/log/log.ts";
import { createSqliteStore, openSqliteReaders } from "../../../src/log/sqlite/index.ts";
import { createFolder, type Place } from "./places.ts";

let place: Place;
let store: LogStore;
let log: Log;
let readers: LogReaders;

const retention = { age: undefined, events: undefined, bytes: undefined };
const events = (...data: string[]) =>
  data.map((text) => ({ event: "message", data: text, channel: undefined, upstreamId: text }));

beforeEach(async () => {
  place = await createFolder();
  store = await createSqliteStore({ path: place.path });
  log = await store.open("s", { retention });
  readers = await openSqliteReaders(place.path);
});

afterEach(async () => {
  readers.close();
  await store.close();
  await place.remove();
});

test("a reader next to the writer sees every append that has resolved", async () => {
  const reader = readers.open("s");
  expect([reader.stream, reader.epoch]).toEqual(["s", log.epoch]);
  for (let n = 1; n <= 20; n++) {
    await log.append(events(String(n)), { upstreamCursor: `c${n}` });
    expect(reader.state()).toEqual(log.state());
    expect(await reader.find({ upstreamId: String(n) })).toBe(n);
    expect(await reader.read(n - 1, { limit: 5 })).toEqual(await log.read(n - 1, { limit: 5 }));
  }
});

test("a reader sees the events that retention has left", async () => {
  await log.append(events(...Array.from({ length: 10 }, (_, n) => String(n))));
  const short = await store.open("s", { retention: { ...retention, events: 3 } });
  await short.trim();
  const reader = readers.open("s");
  expect(reader.state()).toMatchObject({ head: 10, earliest: 8, events: 3 });
  expect(await reader.read(0, { limit: 100 })).toMatchObject({ earliest: 8, scanned: 10 });
});

test("a stream that the writer never opened cannot be read, and nothing can be read once it is closed", () => {
  expect(() => readers.open("other")).toThrow(expect.objectContaining({ code: "store-unavailable" }));
  const reader = readers.open("s");
  readers.close();
  readers.close();
  expect(() => reader.state()).toThrow(expect.objectContaining({ code: "store-closed" }));
});

test("a file that is not a Spillway log is refused", async () => {
  await expect(openSqliteReaders(join(place.folder, "none", "log.db"))).rejects.toMatchObject({
    code: "store-unavailable",
  });
});
