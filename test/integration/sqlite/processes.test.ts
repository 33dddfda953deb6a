import { execFile } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { loadDriver } from "../../../src/log/sqlite/driver.ts";
import { createSqliteStore } from "../../../src/log/sqlite/index.ts";
import { startProgram } from "../../support/process.ts";
import { createFolder, type Place } from "./places.ts";
import { eventsOf, openAll, readAll } from "./stores.ts";

const nobody = 65_534;
const opener = "test/integration/sqlite/opener.js";

let place: Place;

beforeEach(async () => {
  place = await createFolder();
});

afterEach(() => place.remove());

test("an open store keeps no process alive", async () => {
  const program = startProgram(opener, [place.path]);
  const [code] = (await once(program.process, "exit")) as [number | null];
  expect([code, program.output()]).toEqual([0, "done\n"]);
  const store = await createSqliteStore({ path: place.path });
  expect(await readAll(await openAll(store))).toHaveLength(1);
  await store.close();
});

test("a process that exits during appends ends with its own exit code", async () => {
  for (let round = 0; round < 5; round++) {
    const program = startProgram("test/integration/sqlite/leaver.js", [place.path]);
    const ended = await once(program.process, "exit");
    expect([ended, program.output()]).toEqual([[3, null], ""]);
  }
  const store = await createSqliteStore({ path: place.path });
  expect((await openAll(store)).state().head % 500).toBe(0);
  await store.close();
});

test("without the package that it needs, an older Node.js names it", async () => {
  // The store with its dependencies, where no optional package can be found.
  await cp("dist/log", join(place.folder, "dist/log"), { recursive: true });
  await cp("dist/errors.js", join(place.folder, "dist/errors.js"));
  await cp("node_modules/lru-cache", join(place.folder, "node_modules/lru-cache"), { recursive: true });
  await cp("dist/util", join(place.folder, "dist/util"), { recursive: true });
  await cp(opener, join(place.folder, opener));
  await writeFile(join(place.folder, "package.json"), JSON.stringify({ type: "module" }));
  const { stdout } = await promisify(execFile)(process.execPath, [join(place.folder, opener), place.path]);
  const builtIn = process.versions.node.split(".").map(Number)[0]! >= 22;
  expect(stdout).toBe(builtIn ? "done\n" : "driver-missing\n");
});

test("a missing permission to write or to read has a code of its own", async () => {
  await chmod(place.folder, 0o755);
  expect(await openAs(nobody)).toBe("store-readonly\n");
  await chown(place.folder, nobody, nobody);
  await writeFile(place.path, "");
  await chmod(place.path, 0o644);
  expect(await openAs(nobody)).toBe("store-readonly\n");
  await chmod(place.path, 0o600);
  expect(await openAs(nobody)).toBe("store-unavailable\n");
  await chown(place.path, nobody, nobody);
  expect(await openAs(nobody)).toBe("done\n");
});

test("any SQLite reader can read the log while it is open", async () => {
  const store = await createSqliteStore({ path: place.path, now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678) });
  const log = await store.open("prices", { retention: { age: undefined, events: undefined, bytes: undefined } });
  await log.append([{ event: "trade", data: "1\n2", channel: "btc", upstreamId: "u-1" }]);
  const { DatabaseSync } = await loadDriver();
  const database = new DatabaseSync(place.path, { readOnly: true });
  expect({ ...database.prepare("SELECT * FROM log").get() }).toEqual({
    stream: "prices",
    id: `${log.epoch}.1`,
    time: "2026-01-02T03:04:05.678Z",
    event: "trade",
    channel: "btc",
    upstream_id: "u-1",
    data: "1\n2",
  });
  database.close();
  await store.close();
});

test("a process that holds the write lock for long delays an append, then causes its refusal; it can be repeated afterwards", async () => {
  const store = await createSqliteStore({ path: place.path });
  const log = await openAll(store);
  const { DatabaseSync } = await loadDriver();
  const person = new DatabaseSync(place.path, { readOnly: false });
  person.exec("BEGIN IMMEDIATE");
  await expect(log.append(eventsOf("a"))).rejects.toMatchObject({ code: "store-locked" });
  person.exec("ROLLBACK");
  expect(await log.append(eventsOf("a"))).toMatchObject({ first: 1, last: 1 });
  person.close();
  await store.close();
});

test("what a writer thread that dies has not written is written once by the next one", async () => {
  const workers = noteWorkers();
  const store = await createSqliteStore({ path: place.path });
  const [log, other] = [await openAll(store), await openAll(store, "other")];
  await log.append(eventsOf("1"), { upstreamCursor: "u-1" });

  workers.fail();
  const appends = [log.append(eventsOf("2"), { upstreamCursor: "u-2" }), other.append(eventsOf("x"))];
  const trim = log.trim();
  await expect(trim).rejects.toMatchObject({ code: "store-unavailable" });
  expect(await Promise.all(appends)).toEqual([
    { first: 2, last: 2, replayed: false },
    { first: 1, last: 1, replayed: false },
  ]);
  expect((await readAll(log)).map(({ data }) => data)).toEqual(["1", "2"]);
  expect(log.state()).toMatchObject({ head: 2, upstreamCursor: "u-2" });
  expect(workers.count()).toBe(2);
  await store.close();
});

test("while no writer thread can open the streams an append is unknown, and with its token it is stored once in the end", async () => {
  const workers = noteWorkers();
  const store = await createSqliteStore({ path: place.path });
  const log = await openAll(store);
  const { DatabaseSync } = await loadDriver();
  const person = new DatabaseSync(place.path, { readOnly: false });
  person.exec("BEGIN IMMEDIATE");
  workers.fail();
  const retryToken = {};
  await expect(log.append(eventsOf("1"), { retryToken })).rejects.toMatchObject({ code: "append-unknown" });
  await expect(log.append(eventsOf("1"), { retryToken })).rejects.toMatchObject({ code: "append-unknown" });
  await expect(log.append(eventsOf("2"))).rejects.toMatchObject({
    code: expect.stringMatching(/^store-(?:locked|unavailable)$/),
  });
  person.exec("ROLLBACK");
  person.close();
  expect(await log.append(eventsOf("1"), { retryToken })).toMatchObject({ first: 1, last: 1 });
  expect((await readAll(log)).map(({ data }) => data)).toEqual(["1"]);
  await store.close();
});

/** Records the writer threads that are started from now on. */
function noteWorkers(): { fail(): void; count(): number } {
  const workers: Worker[] = [];
  const note = (worker: Worker): void => void workers.push(worker);
  process.on("worker", note);
  onTestFinished(() => void process.off("worker", note));
  return {
    // What no writer expects: the latest fails as it would by a fault of its own.
    fail: () => workers.at(-1)!.postMessage(null),
    count: () => workers.length,
  };
}

/** The output of the opener, run as a user without permissions. */
async function openAs(user: number): Promise<string> {
  const program = startProgram(opener, [place.path, String(user)]);
  await once(program.process, "exit");
  return program.output();
}
