import { execFileSync } from "node:child_process";
import { mkdtemp, open, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startNumberedGateway, type NumberedGateway } from "../support/numbered-gateway.ts";
import { freePort } from "../support/ports.ts";
import { startCli } from "../support/process.ts";
import { eventually } from "../support/reader.ts";

let folder: string;
/** Closed after the test, so that the disk can go. */
let gateway: NumberedGateway | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spillway-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]);
});

afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
  execFileSync("umount", [folder]);
  await rmdir(folder);
});

/** The reasons in the response of `/readyz`. */
async function unready(port: number): Promise<readonly string[]> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  return ((await response.json()) as { reasons?: string[] }).reasons ?? [];
}

test("a full disk only pauses ingest; with space again it continues, and nothing is lost", async () => {
  gateway = await startNumberedGateway(3, folder);
  const { port } = gateway;
  for (let round = 0; round < 3; round++) {
    await gateway.progress(50);
    await fill(join(folder, "filler"));
    await eventually(async () => (await unready(port)).includes("store-full"), "readyz names store-full");
    const connections = gateway.readers.map((reader) => reader.connections);
    await rm(join(folder, "filler"));
    await eventually(async () => (await unready(port)).length === 0, "ready again");
    await gateway.progress(50);
    expect(gateway.readers.map((reader) => reader.connections)).toEqual(connections);
  }
  await gateway.finish();
});

test("a gateway that is killed while the disk is full restarts with its log and continues", async () => {
  gateway = await startNumberedGateway(3, folder);
  const { port } = gateway;
  await gateway.progress(50);
  await fill(join(folder, "filler"));
  await eventually(async () => (await unready(port)).includes("store-full"), "readyz names store-full");
  await gateway.kill("SIGKILL");
  await rm(join(folder, "filler"));
  await gateway.start();
  await gateway.progress(50);
  await gateway.finish();
});

test("a publisher gets an error code while the disk is full, and `readyz` alone shows that there is space again", async () => {
  const port = await freePort();
  const flags = ["--stream", "notes", "--anonymous", "subscribe,publish", "--port", String(port)];
  const program = startCli("serve", "--store", `sqlite:${folder}/log.db`, ...flags);
  await program.printed('"listening"');
  const publish = (): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/streams/notes/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ data: "x".repeat(10_000) }),
    });
  expect((await publish()).status).toBe(200);
  await fill(join(folder, "filler"));
  let refused = await publish();
  while (refused.status === 200) refused = await publish();
  expect(refused.status).toBe(503);
  expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
  const problem = await refused.text();
  expect(JSON.parse(problem)).toMatchObject({ code: "store-full" });
  expect(problem).not.toContain(folder);
  expect(await unready(port)).toEqual(["store-full"]);
  await rm(join(folder, "filler"));
  await eventually(async () => (await unready(port)).length === 0, "ready again");
  expect((await publish()).status).toBe(200);
  expect(await program.kill("SIGTERM")).toBe(0);
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
