import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { maxAlike, type LogFilter } from "../../../src/log/log.ts";
import { createPostgresStore } from "../../../src/log/postgres/index.ts";
import { createQueries } from "../../../src/log/postgres/queries.ts";
import { openPostgresPlace, sharedPostgres } from "../../support/postgres.ts";
import { openLog } from "../../support/store-nodes.ts";

const place = openPostgresPlace();
const queries = createQueries(place.schema);
const client = new pg.Client({ connectionString: sharedPostgres });
const head = 20_000;
const limit = 10;

beforeAll(async () => {
  await client.connect();
  const store = await createPostgresStore({ url: place.url, node: "a" });
  const log = await openLog(store);
  // One event in a thousand is of a rare type, and one of a rare channel.
  const numbers = Array.from({ length: head }, (_, index) => index);
  const events = numbers.map((number) => ({
    data: "x",
    event: number % 1_000 === 7 ? "rare" : `t${number % 5}`,
    channel: number % 1_000 === 3 ? "rare" : `c${number % 20}`,
    upstreamId: `u${number}`,
  }));
  const published = Array.from(
    { length: 1_000 },
    () => ({ ...events[0]!, upstreamId: "same", published: true }) as const,
  );
  await Promise.all(
    Array.from({ length: 10 }, (_, part) => log.append(events.slice(part * 2_000, (part + 1) * 2_000))),
  );
  await log.append(published);
  await place.query("ANALYZE $schema.events");
  await store.close();
});

afterAll(async () => {
  await client.end();
  await place.remove();
});

const filters: readonly (LogFilter | undefined)[] = [
  undefined,
  { channels: ["rare"] },
  { channels: ["c1", "c2", "rare"] },
  { channels: Array.from({ length: 32 }, (_, index) => `c${index}`) },
  { channels: [] },
  { events: ["rare"] },
  { events: ["t1", "none"] },
];

test.each(filters.flatMap((filter) => (["forward", "backward"] as const).map((direction) => ({ filter, direction }))))(
  "a page examines no more events of each value than its limit: $direction $filter",
  async ({ filter, direction }) => {
    const from = head / 2;
    const query = queries.selectEvents({ filter, direction, from, rows: limit, bytes: 1e9 });
    const values = (filter?.channels ?? filter?.events ?? [""]).length + 1;
    // One more is the event by which the log is recognised.
    expect(await eventsLookedAt(queries.inSnapshot(1, from, query))).toBeLessThanOrEqual(values * limit + 1);
  },
);

test("an id of either origin is found at once, however many events of the other origin have it", async () => {
  const { selectLatestOfSource, selectAlike } = queries;
  expect(await eventsLookedAt(queries.inSnapshot(1, head, selectLatestOfSource("u77")))).toBeLessThanOrEqual(2);
  for (const query of [
    selectAlike("source", "u77"),
    selectAlike("publisher", "u77"),
    selectAlike("publisher", "same"),
  ]) {
    expect(await eventsLookedAt(queries.inSnapshot(1, head, query))).toBeLessThanOrEqual(maxAlike + 1);
  }
});

interface Plan {
  readonly "Relation Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly "Plans"?: readonly Plan[];
}

/** The number of rows of `events` that a statement reads. */
async function eventsLookedAt({ text, values = [] }: { text: string; values?: readonly unknown[] }): Promise<number> {
  const explain = `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`;
  const { rows } = await client.query<{ "QUERY PLAN": [{ Plan: Plan }] }>(explain, [...values]);
  const count = (plan: Plan): number => {
    const removed = (plan["Rows Removed by Filter"] ?? 0) + (plan["Rows Removed by Index Recheck"] ?? 0);
    const own = plan["Relation Name"] === "events" ? (plan["Actual Rows"] + removed) * plan["Actual Loops"] : 0;
    return (plan.Plans ?? []).reduce((sum, each) => sum + count(each), own);
  };
  return count(rows[0]!["QUERY PLAN"][0].Plan);
}
