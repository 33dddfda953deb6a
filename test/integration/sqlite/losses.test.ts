import { cp, mkdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createGateway } from "../../../src/index.ts";
import { loadDriver, type SqliteDatabase } from "../../../src/log/sqlite/driver.ts";
import { createSqliteStore } from "../../../src/log/sqlite/index.ts";
import { type Logger, silentLogger } from "../../../src/util/logger.ts";
import { startProgram } from "../../support/process.ts";
import { createFolder, type Place } from "./places.ts";
import { eventsOf, openAll, readAll } from "./stores.ts";

let place: Place;

beforeEach(async () => {
  place = await createFolder();
});

afterEach(() => place.remove());

/** The result of opening a database. */
interface Found {
  readonly epoch: string;
  readonly head: number;
  readonly warnings: readonly object[];
}

/** Damage to the files of a log; gets the path of the database. */
type Damage = (path: string) => Promise<void>;

const flip =
  (suffix: string, offset: (size: number) => number): Damage =>
  async (path) => {
    const bytes = await readFile(path + suffix);
    bytes[offset(bytes.length)]! ^= 0x10;
    await writeFile(path + suffix, bytes);
  };

/** Offsets throughout a file, the same in each run. */
function spread(size: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) =>
    Math.floor(size * ((index + (((index + 1) * 0.618034) % 1)) / count)),
  );
}

/** A database whose process was killed after this many acknowledged events. */
async function killedAfter(count: number): Promise<{ readonly path: string; readonly epoch: string }> {
  const program = startProgram("test/integration/sqlite/acknowledged.js", [place.path, String(count)]);
  await program.printed("done");
  await program.kill("SIGKILL");
  // On a copy, so that the log itself stays as it was left.
  const { epoch, head } = await openDamaged(place.path, async () => {});
  expect(head).toBe(count);
  return { path: place.path, epoch };
}

let copies = 0;

/** Damages a copy of a log, opens it, and appends an event. */
async function openDamaged(path: string, damage: Damage): Promise<Found> {
  const folder = join(place.folder, `copy${copies++}`);
  await mkdir(folder);
  const copy = join(folder, "spillway.db");
  for (const suffix of ["", "-wal", "-shm", ".lock", ".heads"]) {
    await cp(path + suffix, copy + suffix).catch(() => {});
  }
  await damage(copy);
  try {
    return await openOnce(copy);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function openOnce(path: string): Promise<Found> {
  const warnings: object[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields, message) => warnings.push({ ...fields, message }) };
  const store = await createSqliteStore({ path, logger });
  const log = await openAll(store);
  const { epoch } = log;
  const { head } = log.state();
  const events = await readAll(log);
  expect(events.map(({ data }) => data)).toEqual(events.map(({ seq }) => String(seq)));
  expect(events).toHaveLength(head);
  expect(await log.append(eventsOf(String(head + 1)))).toMatchObject({ first: head + 1 });
  await store.close();
  return { epoch, head, warnings };
}

/** Checks that all events are there under the old epoch, or that the loss is reported and no number is assigned again. */
function expectNeverSilent(found: Found, epoch: string, count: number, what: string): void {
  if (found.head === count) {
    expect([found.epoch, found.warnings], what).toEqual([epoch, []]);
  } else {
    expect(found.epoch, what).not.toBe(epoch);
    expect(found.warnings, what).toHaveLength(1);
  }
}

test("one flipped bit in the write-ahead log never loses an acknowledged event silently, at any position", async () => {
  const { path, epoch } = await killedAfter(200);
  const { size } = await stat(`${path}-wal`);
  const frame = 4096 + 24;
  const offsets = [0, 9, 17, 25, 32, 40, 56, size - frame, size - frame + 4, size - 1, ...spread(size, 24)];
  const heads = new Set<number>();
  for (const offset of offsets) {
    const found = await openDamaged(
      path,
      flip("-wal", () => offset),
    );
    expectNeverSilent(found, epoch, 200, `the bit at ${offset} of ${size}`);
    heads.add(found.head);
  }
  // The damage was real: what is left differs with its place.
  expect(heads.size).toBeGreaterThan(10);
});

test("one flipped bit after a checkpoint is also detected", async () => {
  const { path, epoch } = await killedAfter(1_000);
  const { size } = await stat(`${path}-wal`);
  for (const offset of [17, 32, ...spread(size, 8)]) {
    const found = await openDamaged(
      path,
      flip("-wal", () => offset),
    );
    expectNeverSilent(found, epoch, 1_000, `the bit at ${offset} of ${size}`);
  }
});

test("the warning about a loss names the stream and the number of missing events", async () => {
  const { path } = await killedAfter(20);
  const found = await openDamaged(
    path,
    flip("-wal", (size) => size - 1),
  );
  expect(found.head).toBe(19);
  expect(found.warnings).toMatchObject([{ stream: "s", missing: 1, message: expect.stringContaining("new epoch") }]);
});

test("a truncated, emptied or deleted write-ahead log is detected, also after a checkpoint", async () => {
  for (const count of [200, 1_000]) {
    await rm(place.folder, { recursive: true });
    await mkdir(place.folder);
    const { path, epoch } = await killedAfter(count);
    for (const part of [0.9, 0.5, 0.1, 0]) {
      const found = await openDamaged(path, async (copy) => {
        await truncate(`${copy}-wal`, Math.floor((await stat(`${copy}-wal`)).size * part));
      });
      expectNeverSilent(found, epoch, count, `${part} of it after ${count} events`);
    }
    const removed = await openDamaged(path, (copy) => rm(`${copy}-wal`));
    expect(removed.head).toBeLessThan(count);
    expectNeverSilent(removed, epoch, count, `removed after ${count} events`);
  }
});

test("a loss is reported once: the next start finds nothing", async () => {
  const { path, epoch } = await killedAfter(50);
  await flip("-wal", (size) => size - 1)(path);
  const first = await openOnce(path);
  const second = await openOnce(path);
  expect(first.epoch).not.toBe(epoch);
  expect(second).toEqual({ epoch: first.epoch, head: first.head + 1, warnings: [] });
});

test("only a stream that lost events gets a new epoch", async () => {
  const store = await createSqliteStore({ path: place.path });
  const [old, busy] = [await openAll(store, "old"), await openAll(store, "busy")];
  await old.append(eventsOf("1", "2"));
  await busy.append(eventsOf("1"));
  await store.close();
  await cp(place.path, `${place.path}.backup`);
  const again = await createSqliteStore({ path: place.path });
  await (await openAll(again, "busy")).append(eventsOf("2", "3"));
  await again.close();
  await cp(`${place.path}.backup`, place.path);
  const restored = await createSqliteStore({ path: place.path });
  const logs = [await openAll(restored, "old"), await openAll(restored, "busy")];
  expect(logs.map(({ epoch }) => epoch)).toEqual([old.epoch, expect.not.stringMatching(busy.epoch)]);
  expect(logs.map((log) => log.state().head)).toEqual([2, 1]);
  await restored.close();
});

test("without the heads file, or with a damaged one, a log gets a new epoch", async () => {
  const { path, epoch } = await killedAfter(3);
  for (const damage of [(copy: string) => rm(`${copy}.heads`), flip(".heads", () => 20), flip(".heads", () => 50)]) {
    const found = await openDamaged(path, damage);
    expect(found.epoch).not.toBe(epoch);
    expect([found.head, found.warnings]).toMatchObject([3, [{ stream: "s", missing: undefined }]]);
  }
});

test("a log of an earlier version is adopted unchanged, and is monitored from then on", async () => {
  const { path, epoch } = await killedAfter(5);
  const found = await openDamaged(path, async (copy) => {
    await rm(`${copy}.heads`);
    await edit(copy, "DROP VIEW log; DROP INDEX events_by_publisher_id; ALTER TABLE events DROP COLUMN publisher_id");
    await edit(copy, "ALTER TABLE streams DROP COLUMN tracked; PRAGMA user_version = 1");
    expect(await openOnce(copy)).toEqual({ epoch, head: 5, warnings: [] });
    await edit(copy, "DELETE FROM events WHERE seq = 6; UPDATE streams SET head = 5, bytes = bytes - 8");
  });
  expect(found.epoch).not.toBe(epoch);
  expect([found.head, found.warnings]).toMatchObject([5, [{ missing: 1 }]]);
});

test("a database that was moved away leaves one warning about the events of its streams", async () => {
  const { path, epoch } = await killedAfter(7);
  await Promise.all(["", "-wal", "-shm"].map((suffix) => rm(path + suffix)));
  const first = await openOnce(path);
  expect(first.epoch).not.toBe(epoch);
  expect([first.head, first.warnings]).toMatchObject([0, [{ stream: undefined, missing: 7 }]]);
  expect((await openOnce(path)).warnings).toEqual([]);
});

test("a client that had seen a lost event gets a reset, and then all remaining events", async () => {
  const { path, epoch } = await killedAfter(100);
  await flip("-wal", (size) => Math.floor(size / 2))(path);
  const gateway = await createGateway({ store: `sqlite:${path}`, streams: { s: {} } });
  await gateway.publish(
    "s",
    Array.from({ length: 100 }, () => ({ data: "new" })),
  );
  const request = new Request("http://x/streams/s", {
    headers: { "accept": "application/json", "last-event-id": `${epoch}.90` },
  });
  const answer = await gateway.fetch(request);
  const { events } = (await answer.json()) as { events: { id: string }[] };
  expect(answer.headers.get("spillway-resume")).toBe("reset");
  expect(events[0]!.id).toMatch(/\.1$/);
  await gateway.close();
});

async function edit(path: string, sql: string): Promise<void> {
  const { DatabaseSync } = await loadDriver();
  const database: SqliteDatabase = new DatabaseSync(path, { readOnly: false });
  database.exec(sql);
  database.close();
}
