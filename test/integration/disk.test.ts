import { execFileSync } from "node:child_process";
import { mkdtemp, open, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startNumberedGateway, type NumberedGateway } from "../support/numbered-gateway.ts";
import { eventually } from "../support/reader.ts";

let folder: string;
let gateway: NumberedGateway;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spillway-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]);
  gateway = await startNumberedGateway(3, folder);
});

afterEach(async () => {
  await gateway.close();
  execFileSync("umount", [folder]);
  await rmdir(folder);
});

/** What `/readyz` says: the reasons why not. */
async function unready(): Promise<readonly string[]> {
  const response = await fetch(`http://127.0.0.1:${gateway.port}/readyz`);
  return ((await response.json()) as { reasons?: string[] }).reasons ?? [];
}

test(
  "a full disk pauses ingest and nothing else; with space it goes on, and nothing is lost",
  { timeout: 60_000 },
  async () => {
    for (let round = 0; round < 3; round++) {
      await gateway.progress(50);
      await fill(join(folder, "filler"));
      await eventually(async () => (await unready()).includes("store-full"), "readyz names store-full");
      const connections = gateway.readers.map((reader) => reader.connections);
      await rm(join(folder, "filler"));
      await eventually(async () => (await unready()).length === 0, "ready again");
      await gateway.progress(50);
      expect(gateway.readers.map((reader) => reader.connections)).toEqual(connections);
    }
    await gateway.finish();
  },
);

test("killed while the disk is full, it comes back with what it had and goes on", { timeout: 60_000 }, async () => {
  await gateway.progress(50);
  await fill(join(folder, "filler"));
  await eventually(async () => (await unready()).includes("store-full"), "readyz names store-full");
  await gateway.kill("SIGKILL");
  await rm(join(folder, "filler"));
  await gateway.start();
  await gateway.progress(50);
  await gateway.finish();
});

/** Writes until there is no space left. */
async function fill(path: string): Promise<void> {
  const file = await open(path, "w");
  const block = Buffer.alloc(4096);
  try {
    for (;;) await file.write(block);
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
  } finally {
    await file.close();
  }
}
