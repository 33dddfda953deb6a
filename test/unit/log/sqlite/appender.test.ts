import { expect, test } from "vitest";
import { type Appender, createAppender } from "../../../../src/log/sqlite/appender.ts";
import { loadDriver, type SqliteDatabase } from "../../../../src/log/sqlite/driver.ts";
import { createIdempotencyKeys } from "../../../../src/log/sqlite/idempotency-keys.ts";
import type { AppendRequest } from "../../../../src/log/sqlite/messages.ts";
import { prepareSchema } from "../../../../src/log/sqlite/schema.ts";
import { createStreams, type Streams } from "../../../../src/log/sqlite/streams.ts";

const { DatabaseSync } = await loadDriver();

function createScene(): { database: SqliteDatabase; streams: Streams; appender: Appender } {
  const database = new DatabaseSync(":memory:", { readOnly: false });
  prepareSchema(database);
  const streams = createStreams(database);
  for (const name of ["one", "two"]) streams.set(streams.open(name));
  return { database, streams, appender: createAppender(database, streams, createIdempotencyKeys(database)) };
}

function batchOf(stream: number, ...texts: string[]): AppendRequest {
  const events = texts.flatMap((data) => ["message", data, undefined, undefined, undefined]);
  return { stream, now: 5, events, upstreamCursor: texts.at(-1), idempotency: undefined };
}

test("batches of several streams share a transaction, and each gets the numbers of its own stream", () => {
  const { appender, streams } = createScene();
  const outcomes = appender.append([batchOf(1, "a", "b"), batchOf(2, "x"), batchOf(1, "c")]);
  expect(outcomes).toMatchObject([
    { first: 1, last: 2, time: 5 },
    { first: 1, last: 1 },
    { first: 3, last: 3 },
  ]);
  expect([streams.get(1), streams.get(2)]).toMatchObject([
    { head: 3, upstreamCursor: "c" },
    { head: 1, upstreamCursor: "x" },
  ]);
});

test("a batch that cannot be stored is refused alone, and uses no number", () => {
  const { appender, database } = createScene();
  const noText = { ...batchOf(1), events: ["message", 5 as unknown as string, undefined, undefined, undefined] };
  expect(appender.append([batchOf(1, "a"), noText, batchOf(1, "b")])).toMatchObject([
    { first: 1, last: 1 },
    { code: "store-unavailable" },
    { first: 2, last: 2 },
  ]);
  expect(
    database
      .prepare("SELECT data FROM events")
      .all()
      .map(({ data }) => data),
  ).toEqual(["a", "b"]);
});

test("a transaction without room is refused completely and changes nothing; with room, the same one succeeds", () => {
  const { appender, database, streams } = createScene();
  database.exec("PRAGMA max_page_count = 20");
  const batches = [batchOf(1, "a"), batchOf(2, "x".repeat(200_000))];
  expect(appender.append(batches)).toMatchObject([{ code: "store-full" }, { code: "store-full" }]);
  expect([streams.get(1).head, database.prepare("SELECT head FROM streams WHERE id = 1").get()?.["head"]]).toEqual([
    0, 0,
  ]);
  database.exec("PRAGMA max_page_count = 200");
  expect(appender.append(batches)).toMatchObject([
    { first: 1, last: 1 },
    { first: 1, last: 1 },
  ]);
});

test("a group whose answer was lost is found after the known head, with the numbers of each batch", () => {
  const { appender, streams } = createScene();
  appender.append([{ ...batchOf(1, "k"), idempotency: { key: "old", fingerprint: "f" } }]);
  const { head } = streams.get(1);
  const group = [
    batchOf(1, "a", "b"),
    { ...batchOf(1, "k"), idempotency: { key: "old", fingerprint: "f" } },
    { ...batchOf(1, "c"), idempotency: { key: "new", fingerprint: "f" } },
    batchOf(1),
    batchOf(1, "d"),
  ];
  expect(appender.settle(group, head)).toEqual([]);
  const outcomes = appender.append(group);
  expect(appender.settle(group, head)).toMatchObject(
    outcomes.map((outcome) => ("code" in outcome ? {} : { first: outcome.first, last: outcome.last })),
  );
});
