import { expect, test } from "vitest";
import { readPage } from "../../../../src/log/engine/page.ts";
import { findPosition } from "../../../../src/log/engine/position.ts";
import type { LogFilter } from "../../../../src/log/log.ts";
import { createAppender } from "../../../../src/log/sqlite/appender.ts";
import { loadDriver, type SqliteDatabase } from "../../../../src/log/sqlite/driver.ts";
import { createIdempotencyKeys } from "../../../../src/log/sqlite/idempotency-keys.ts";
import { SqliteLogReader } from "../../../../src/log/sqlite/log-driver.ts";
import { prepareSchema } from "../../../../src/log/sqlite/schema.ts";
import type { Snapshots } from "../../../../src/log/sqlite/snapshots.ts";
import { createStatements } from "../../../../src/log/sqlite/statements.ts";
import { createStreams } from "../../../../src/log/sqlite/streams.ts";
import { createTrimmer } from "../../../../src/log/sqlite/trimmer.ts";

const { DatabaseSync } = await loadDriver();
const many = Array.from({ length: 40 }, (_, index) => `m${index}`);
const filters: readonly (LogFilter | undefined)[] = [
  undefined,
  {},
  { channels: [] },
  { channels: ["a"] },
  { channels: ["a", "b", "c"] },
  { channels: many },
  { events: ["x"] },
  { events: ["x", "y"] },
  { events: many },
  { channels: ["a"], events: ["x", "y"] },
  { channels: many, events: ["x"] },
];

test("every statement that reads or writes events goes through an index", async () => {
  const { database, statements } = createNoted();
  const stream = writeAndTrim(database);
  const statement = createStatements(database);
  const snapshots: Snapshots = { read: (read) => read(statement), close: () => {} };
  const reader = new SqliteLogReader(snapshots, stream);
  for (const filter of filters) {
    await readPage(reader, 0, { filter, limit: 2 });
    if (filter) await findPosition(reader, { last: 2, filter });
  }
  await findPosition(reader, { since: 5 });
  await findPosition(reader, { sourceId: "u" });
  await findPosition(reader, { upstreamId: "u", published: true });

  expect(statements.size).toBeGreaterThan(20);
  for (const sql of statements) {
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
    const steps = plan.map(({ detail }) => String(detail));
    // A scan of a table, or an order that no index gives, takes the longer the longer the log is.
    expect(
      steps.filter((step) => /^SCAN|TEMP B-TREE/.test(step)),
      `${sql}\n${steps.join("\n")}`,
    ).toEqual([]);
  }
});

/** A database that records each prepared statement. */
function createNoted(): { readonly database: SqliteDatabase; readonly statements: Set<string> } {
  const real = new DatabaseSync(":memory:", { readOnly: false });
  prepareSchema(real);
  const statements = new Set<string>();
  const database: SqliteDatabase = {
    exec: (sql) => real.exec(sql),
    prepare(sql) {
      if (!sql.startsWith("EXPLAIN")) statements.add(sql);
      return real.prepare(sql);
    },
    close: () => real.close(),
  };
  return { database, statements };
}

/** Has the writer prepare all that it uses; returns the id of a stream with some events. */
function writeAndTrim(database: SqliteDatabase): number {
  const streams = createStreams(database);
  const keys = createIdempotencyKeys(database);
  const stream = streams.open("s");
  streams.set(stream);
  const events = ["x", "y", "x", "spillway.gap", "y"].flatMap((event) => [event, "data", "a", "u", undefined]);
  const idempotency = { key: "k", fingerprint: "f" };
  const request = { stream: stream.id, now: 1, events, upstreamCursor: "u", idempotency };
  createAppender(database, streams, keys).append([request]);
  createTrimmer(database, streams)(streams.get(stream.id), { before: undefined, events: 3, bytes: undefined }, 500);
  keys.prune(1, 500);
  return stream.id;
}
