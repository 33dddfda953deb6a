import { chmod, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSqliteStore } from "../../../src/log/sqlite/index.ts";
import { silentLogger } from "../../../src/util/logger.ts";
import { startProgram } from "../../support/process.ts";
import { createFolder, type Place } from "./places.ts";
import { eventsOf, openAll } from "./stores.ts";

let place: Place;

beforeEach(async () => {
  place = await createFolder();
});

afterEach(() => place.remove());

/** The mode of each file in the folder, in octal. */
async function modes(): Promise<Record<string, string>> {
  const names = await readdir(place.folder);
  const entries = names.map(async (name) => {
    const { mode } = await stat(join(place.folder, name));
    return [name, (mode & 0o777).toString(8)];
  });
  return Object.fromEntries(await Promise.all(entries)) as Record<string, string>;
}

const ownerOnly = {
  "spillway.db": "600",
  "spillway.db-wal": "600",
  "spillway.db-shm": "600",
  "spillway.db.lock": "600",
  "spillway.db.lock-journal": "600",
  "spillway.db.heads": "600",
};

test.each(["0000", "0022", "0077", "0277"])(
  "with the umask %s, only the owner can access a new log's files",
  async (umask) => {
    const program = startProgram("test/integration/sqlite/acknowledged.js", [place.path, "1", umask]);
    await program.printed("done");
    expect(await modes()).toEqual(ownerOnly);
    await program.kill("SIGKILL");
  },
);

test("a log that everybody could read becomes private at the next start, with a warning that names the files", async () => {
  const program = startProgram("test/integration/sqlite/acknowledged.js", [place.path, "1"]);
  await program.printed("done");
  await program.kill("SIGKILL");
  const names = Object.keys(ownerOnly);
  await Promise.all(names.map((name) => chmod(join(place.folder, name), 0o644)));
  const warnings: object[] = [];
  const logger = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
  const store = await createSqliteStore({ path: place.path, logger });
  await (await openAll(store)).append(eventsOf("x"));
  expect(await modes()).toEqual(ownerOnly);
  expect(warnings).toEqual([
    { files: expect.arrayContaining(names.map((name) => join(place.folder, name))) as unknown },
  ]);
  await store.close();
});

test("a database with access for a group keeps it, and so do its journals", async () => {
  await (await createSqliteStore({ path: place.path })).close();
  await chmod(place.path, 0o640);
  const store = await createSqliteStore({ path: place.path });
  await (await openAll(store)).append(eventsOf("x"));
  expect(await modes()).toEqual({
    ...ownerOnly,
    "spillway.db": "640",
    "spillway.db-wal": "640",
    "spillway.db-shm": "640",
  });
  await store.close();
});
