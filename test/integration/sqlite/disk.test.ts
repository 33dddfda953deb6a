import { rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { Log } from "../../../src/log/log.ts";
import { createSqliteStore } from "../../../src/log/sqlite/index.ts";
import { mountImage, mountSmall, type Place, remount } from "./places.ts";
import { eventsOf, openAll, readAll } from "./stores.ts";

let place: Place;

afterEach(() => place.remove());

test("a full disk refuses an append completely, and accepts it once there is room; nothing is lost or duplicated", async () => {
  place = await mountSmall(4_096);
  const ballast = join(place.folder, "ballast");
  await writeFile(ballast, Buffer.alloc(2 * 1024 * 1024));
  const store = await createSqliteStore({ path: place.path });
  const log = await openAll(store);

  const appended = await appendUntilRefused(log);
  const { head } = log.state();
  expect(head).toBe(2 * appended);
  for (let attempt = 0; attempt < 3; attempt++) {
    await expect(appendBatch(log, appended)).rejects.toMatchObject({ code: "store-full" });
  }
  expect(await readAll(log)).toHaveLength(head);

  await rm(ballast);
  expect(await appendBatch(log, appended)).toEqual({ first: head + 1, last: head + 2, replayed: false });
  await store.close();
  await expectBatches(appended + 1);
});

test("appends that shared a transaction without room are all refused, and all can be repeated", async () => {
  place = await mountSmall(2_048);
  const store = await createSqliteStore({ path: place.path });
  const [log, other] = [await openAll(store), await openAll(store, "other")];
  const large = eventsOf("x".repeat(3 * 1024 * 1024));
  const outcomes = await Promise.allSettled([
    log.append(eventsOf("a")),
    log.append(large),
    other.append(eventsOf("b")),
  ]);
  for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { code: "store-full" } });
  expect([await log.append(eventsOf("a")), await other.append(eventsOf("b"))]).toMatchObject([
    { last: 1 },
    { last: 1 },
  ]);
  await store.close();
});

test("a full disk prevents the creation of a log, and with room it succeeds", async () => {
  place = await mountSmall(256);
  const ballast = join(place.folder, "ballast");
  const { bavail, bsize } = await statfs(place.folder);
  await writeFile(ballast, Buffer.alloc(bavail * bsize));
  await expect(createSqliteStore({ path: place.path })).rejects.toMatchObject({ code: "store-full" });
  await rm(ballast);
  await (await createSqliteStore({ path: place.path })).close();
});

test("a read-only file system prevents the start, which succeeds once it is writable again", async () => {
  place = await mountSmall(4_096);
  await (await createSqliteStore({ path: place.path })).close();
  // Node 20's driver may still hold the file open for writing, which is reason for the kernel to refuse; try for a while.
  await expect.poll(() => remount(place.folder, "ro").then(() => "ro", String)).toBe("ro");
  await expect(createSqliteStore({ path: place.path })).rejects.toMatchObject({ code: "store-readonly" });
  await remount(place.folder, "rw");
  await (await createSqliteStore({ path: place.path })).close();
});

test("a file system that turns read-only refuses appends and still answers reads", async () => {
  place = await mountImage();
  const store = await createSqliteStore({ path: place.path });
  const log = await openAll(store);
  await log.append(eventsOf("1", "2"), { upstreamCursor: "u-2" });
  await remount(place.folder, "abort");
  await expect(log.append(eventsOf("3"), { upstreamCursor: "u-3" })).rejects.toMatchObject({ code: "store-readonly" });
  expect((await readAll(log)).map(({ data }) => data)).toEqual(["1", "2"]);
  expect(log.state()).toMatchObject({ head: 2, upstreamCursor: "u-2" });
  await store.close();
});

/** Appends batches until the disk is full; returns how many were stored. */
async function appendUntilRefused(log: Log): Promise<number> {
  for (let batch = 0; ; batch++) {
    const outcome = await appendBatch(log, batch).catch((error: unknown) => error);
    if (!(outcome instanceof Error)) continue;
    expect(outcome).toMatchObject({ code: "store-full" });
    return batch;
  }
}

function appendBatch(log: Log, batch: number): ReturnType<Log["append"]> {
  const events = eventsOf(`${batch}a`.padEnd(20_000), `${batch}b`.padEnd(20_000));
  return log.append(events, { upstreamCursor: String(batch) });
}

async function expectBatches(count: number): Promise<void> {
  const store = await createSqliteStore({ path: place.path });
  const log = await openAll(store);
  expect((await readAll(log)).map(({ data }) => data.trim())).toEqual(
    Array.from({ length: count }, (_, batch) => [`${batch}a`, `${batch}b`]).flat(),
  );
  expect(log.state().upstreamCursor).toBe(String(count - 1));
  await store.close();
}
