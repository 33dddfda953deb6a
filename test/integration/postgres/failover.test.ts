import { expect, onTestFinished, test } from "vitest";
import { createPostgresStore } from "../../../src/log/postgres/index.ts";
import { openPostgresPlace, startPostgres, type PostgresPlace, type PostgresServer } from "../../support/postgres.ts";
import { contentOf, eventsOf, follow, openLog, untilDone } from "../../support/store-nodes.ts";
import { eventually } from "../../support/reader.ts";
import { openStore } from "./stores.ts";

test("a standby accepts no writes, and one that takes over with all events continues the same log", async () => {
  const { primary, standby, place } = await startPair();
  const resets: string[] = [];
  const store = await openStore(place.url, { onReset: (stream) => resets.push(stream) });
  const log = await openLog(store);
  const heard = follow(log);
  await log.append(eventsOf("1", "2"), { upstreamCursor: "u2" });
  await untilStandbyHas(standby, place, 2);
  const reader = await createPostgresStore({ url: place.url.replace(primary.url, standby.url), node: "b" });
  await expect(openLog(reader)).rejects.toMatchObject({ code: "store-readonly" });
  await reader.close();

  // Stopped in order, it hands everything on.
  await primary.stop();
  await standby.takePlaceOf(primary);
  const batch = eventsOf("3");
  expect(await untilDone(() => log.append(batch))).toEqual({ first: 3, last: 3, replayed: false });
  await eventually(() => heard.length === 3);
  expect(resets).toEqual([]);
});

test("a standby that takes over without the latest events creates a new log, announced once", async () => {
  const { primary, standby, place } = await startPair();
  const resets: string[] = [];
  const store = await openStore(place.url, { onReset: (stream) => resets.push(stream) });
  const log = await openLog(store);
  await log.append(eventsOf("1", "2"), { upstreamCursor: "u2" });
  const lease = (await store.coordination!.acquire("s", 60_000))!;
  await untilStandbyHas(standby, place, 2);
  await standby.stop();
  await log.append(eventsOf("3"), { upstreamCursor: "u3", fence: lease.fence });
  await primary.kill();
  await standby.takePlaceOf(primary);

  await eventually(() => resets.length > 0);
  const next = await untilDone(() => openLog(store));
  expect(next.epoch).not.toBe(log.epoch);
  expect(next.state()).toMatchObject({ head: 2, upstreamCursor: "u2" });
  expect((await contentOf(next)).map(({ data }) => data)).toEqual(["1", "2"]);
  expect(resets).toEqual(["s"]);
});

async function startPair(): Promise<{ primary: PostgresServer; standby: PostgresServer; place: PostgresPlace }> {
  const primary = await startPostgres();
  onTestFinished(() => primary.remove());
  const standby = await startPostgres({ standbyOf: primary });
  onTestFinished(() => standby.remove());
  return { primary, standby, place: openPostgresPlace(primary.url) };
}

async function untilStandbyHas(standby: PostgresServer, { schema }: PostgresPlace, head: number): Promise<void> {
  const there = openPostgresPlace(standby.url);
  await eventually(async () => {
    const rows = await there.query(`SELECT head FROM ${schema}.streams`).catch(() => []);
    return rows[0]?.["head"] === String(head);
  });
}
