import { copyFile, mkdir, open, readFile, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSqliteStore } from "../../../src/log/sqlite/index.ts";
import { loadDriver, type SqliteDatabase } from "../../../src/log/sqlite/driver.ts";
import { startProgram } from "../../support/process.ts";
import { createFolder, type Place } from "./places.ts";
import { eventsOf, openAll, readAll } from "./stores.ts";

let place: Place;

beforeEach(async () => {
  place = await createFolder();
});

afterEach(() => place.remove());

test("a second process is refused while the first one lives, and accepted afterwards", async () => {
  const appender = startProgram("test/integration/sqlite/appender.js", [place.path]);
  await appender.printed("\n");
  const refused = createSqliteStore({ path: place.path });
  await expect(refused).rejects.toMatchObject({
    code: "store-locked",
    message: expect.stringContaining(place.path),
  });
  await appender.kill("SIGKILL");
  await (await createSqliteStore({ path: place.path })).close();
});

test("a second store in one process is refused, whatever path it uses", async () => {
  const store = await createSqliteStore({ path: place.path });
  const link = join(place.folder, "link.db");
  await symlink(place.path, link);
  for (const path of [
    place.path,
    join(place.folder, ".", "..", place.folder.split("/").at(-1)!, "spillway.db"),
    link,
  ]) {
    await expect(createSqliteStore({ path })).rejects.toMatchObject({ code: "store-locked" });
  }
  await store.close();
  await (await createSqliteStore({ path: link })).close();
});

test("a missing folder, or a folder instead of a file, is named", async () => {
  const missing = join(place.folder, "missing", "spillway.db");
  await expect(createSqliteStore({ path: missing })).rejects.toMatchObject({
    code: "store-unavailable",
    message: expect.stringContaining(join(place.folder, "missing")),
  });
  await mkdir(place.path);
  await expect(createSqliteStore({ path: place.path })).rejects.toMatchObject({ code: "store-unavailable" });
});

test("an invalid path is refused", async () => {
  for (const path of ["", ":memory:"]) {
    await expect(createSqliteStore({ path })).rejects.toMatchObject({ code: "config-invalid", field: "path" });
  }
});

test("a file that is not a database is refused and not changed", async () => {
  const garbage = Buffer.from("no database at all\n".repeat(500));
  await writeFile(place.path, garbage);
  await expect(createSqliteStore({ path: place.path })).rejects.toMatchObject({ code: "store-corrupt" });
  expect(await readFile(place.path)).toEqual(garbage);
});

test("a database of another program is refused and not changed", async () => {
  await edit((database) => database.exec("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)"));
  const before = await readFile(place.path);
  await expect(createSqliteStore({ path: place.path })).rejects.toMatchObject({ code: "store-corrupt" });
  expect(await readFile(place.path)).toEqual(before);

  await edit((database) => database.exec("DROP TABLE theirs; PRAGMA application_id = 42"));
  await expect(createSqliteStore({ path: place.path })).rejects.toMatchObject({ code: "store-corrupt" });
});

test("an empty file becomes a log", async () => {
  await writeFile(place.path, "");
  const store = await createSqliteStore({ path: place.path });
  await (await openAll(store)).append(eventsOf("x"));
  await store.close();
});

test("a log of a newer version is refused", async () => {
  await (await createSqliteStore({ path: place.path })).close();
  await edit((database) => database.exec("PRAGMA user_version = 99"));
  await expect(createSqliteStore({ path: place.path })).rejects.toMatchObject({
    code: "store-schema",
    message: expect.stringContaining("99"),
  });
});

test("a truncated file is refused", async () => {
  await fill(place.path);
  await truncate(place.path, 4096 * 3);
  await expect(createSqliteStore({ path: place.path }).then(openAll)).rejects.toMatchObject({ code: "store-corrupt" });
});

test("damage inside the file is detected by the read or append that meets it, and does not affect other streams", async () => {
  await fill(place.path);
  const { size } = await stat(place.path);
  await copyFile(place.path, `${place.path}.whole`);
  const file = await open(place.path, "r+");
  await file.write(Buffer.alloc(size - 4096 * 12, 0xff), 0, size - 4096 * 12, 4096 * 12);
  await file.close();
  const store = await createSqliteStore({ path: place.path });
  const damaged = openAll(store).then(async (log) => {
    await readAll(log);
  });
  await expect(damaged).rejects.toMatchObject({ code: "store-corrupt" });
  await store.close();
  const whole = await createSqliteStore({ path: `${place.path}.whole` });
  expect(await readAll(await openAll(whole))).toHaveLength(2_000);
  await whole.close();
});

test("a stream that lost events by another program is refused, and others are served", async () => {
  const store = await createSqliteStore({ path: place.path });
  await (await openAll(store, "one")).append(eventsOf("a", "b", "c"));
  await (await openAll(store, "other")).append(eventsOf("x"));
  await store.close();
  await edit((database) => database.exec("DELETE FROM events WHERE stream = 1 AND seq = 3"));
  const again = await createSqliteStore({ path: place.path });
  await expect(openAll(again, "one")).rejects.toMatchObject({
    code: "store-corrupt",
    message: expect.stringContaining("one"),
  });
  expect(await readAll(await openAll(again, "other"))).toHaveLength(1);
  await again.close();
});

test("an event missing from the middle of a log is detected by the read that meets it", async () => {
  const store = await createSqliteStore({ path: place.path });
  await (await openAll(store)).append(eventsOf("1", "2", "3", "4", "5"));
  await store.close();
  await edit((database) => database.exec("DELETE FROM events WHERE seq = 3"));
  const again = await createSqliteStore({ path: place.path });
  const log = await openAll(again);
  expect((await log.read(0, { limit: 2 })).events).toHaveLength(2);
  await expect(log.read(0, { limit: 3 })).rejects.toMatchObject({
    code: "store-corrupt",
    message: expect.stringContaining("event 3 is missing"),
  });
  expect((await log.read(3, { limit: 9 })).events).toHaveLength(2);
  await again.close();
});

test("of streams that are opened at once, only the one that lost events is refused", async () => {
  const store = await createSqliteStore({ path: place.path });
  for (const name of ["a", "b", "c"]) await (await openAll(store, name)).append(eventsOf("1", "2"));
  await store.close();
  await edit((database) => database.exec("DELETE FROM events WHERE stream = 2 AND seq = 2"));
  const again = await createSqliteStore({ path: place.path });
  const opened = await Promise.allSettled(["a", "b", "c", "new"].map((name) => openAll(again, name)));
  expect(opened).toMatchObject([
    { value: { stream: "a" } },
    { reason: { code: "store-corrupt" } },
    { value: { stream: "c" } },
    { value: { stream: "new" } },
  ]);
  await again.close();
});

async function fill(path: string): Promise<void> {
  const store = await createSqliteStore({ path });
  const texts = Array.from({ length: 2_000 }, (_, index) => String(index).padEnd(300));
  await (await openAll(store)).append(eventsOf(...texts));
  await store.close();
}

/** Opens the file like another program. */
async function edit(work: (database: SqliteDatabase) => void): Promise<void> {
  const { DatabaseSync } = await loadDriver();
  const database = new DatabaseSync(place.path, { readOnly: false });
  work(database);
  database.close();
}
