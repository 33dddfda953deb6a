import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startNumberedClient, type NumberedClient } from "../support/numbered-client.ts";
import type { NumberedControl, NumberedState } from "../support/numbered-upstream.js";
import { freePort } from "../support/ports.ts";
import { startCli, startProgram, type Program } from "../support/process.ts";
import { eventually } from "../support/reader.ts";

/** How often the gateway is killed: `KILL_ROUNDS=500 npx vitest run test/integration/kill.test.ts`. */
const rounds = Number(process.env["KILL_ROUNDS"] ?? 25);
const clients = 6;

let folder: string;
let port: number;
let source: Program;
let origin: string;
let gateway: Program;
let readers: NumberedClient[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spillway-kill-"));
  port = await freePort();
  // It drops its connection in the middle of an event, again and again.
  const options = { rate: 300, dropEvery: 97, dropMode: "half", retry: 10, resume: "inclusive" };
  source = startProgram("test/support/numbered-upstream.js", [JSON.stringify(options)]);
  await source.printed("\n");
  origin = (JSON.parse(source.output()) as { origin: string }).origin;
  const config = {
    listen: port,
    store: `sqlite:${folder}/log.db`,
    drain: "2s",
    access: { anonymous: ["subscribe", "admin"] },
    streams: { numbers: { upstream: { url: `${origin}/events`, backoff: { min: "10ms", max: "100ms" } } } },
  };
  await writeFile(join(folder, "spillway.json"), JSON.stringify(config));
  await startGateway();
  readers = Array.from({ length: clients }, () => startNumberedClient(`http://127.0.0.1:${port}/streams/numbers`));
});

afterEach(async () => {
  for (const reader of readers) reader.close();
  await gateway.kill("SIGKILL");
  await source.kill("SIGKILL");
  await rm(folder, { recursive: true });
});

test(`kill -9, ${rounds} times: every client ends with exactly 1..M`, { timeout: 30_000 + rounds * 5000 }, async () => {
  for (let round = 0; round < rounds; round++) {
    await progress(1 + Math.floor(Math.random() * 60));
    expect(await gateway.kill("SIGKILL")).toBe("SIGKILL");
    await startGateway();
  }
  await finish();
  for (const { connections } of readers) expect(connections).toBeGreaterThan(rounds / 2);
});

test("SIGTERM, 8 times: it exits with 0, and every client ends with exactly 1..M", { timeout: 60_000 }, async () => {
  for (let round = 0; round < 8; round++) {
    await progress(1 + Math.floor(Math.random() * 60));
    expect(await gateway.kill("SIGTERM")).toBe(0);
    await startGateway();
  }
  await finish();
});

test("20 stalled readers beside them change nothing, through kills too", { timeout: 60_000 }, async () => {
  const stalled: Socket[] = [];
  for (let round = 0; round < 5; round++) {
    stalled.push(...Array.from({ length: 20 }, () => stall()));
    await progress(100);
    expect(await gateway.kill("SIGKILL")).toBe("SIGKILL");
    await startGateway();
  }
  await finish();
  for (const socket of stalled) socket.destroy();
});

/** Starts the gateway and waits until it says that it listens. */
async function startGateway(): Promise<void> {
  gateway = startCli("serve", "--config", join(folder, "spillway.json"));
  await gateway.printed('"listening"');
}

/** A client that asks for everything and reads nothing. */
function stall(): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.pause();
  socket.write(`GET /streams/numbers?after=earliest HTTP/1.1\r\nHost: x\r\n\r\n`);
  return socket;
}

/** Waits until each client has got so many more events. */
async function progress(events: number): Promise<void> {
  const target = Math.max(...readers.map(({ last }) => last)) + events;
  await eventually(() => readers.every(({ last }) => last >= target), `progress to ${target}`);
}

/** Lets the source come to its end, and compares what everyone got with it. */
async function finish(): Promise<void> {
  await control({ set: { rate: 0 } });
  const { last, maxOpen } = (await (await fetch(`${origin}/state`)).json()) as NumberedState;
  expect(last).toBeGreaterThan(0);
  await eventually(() => readers.every((reader) => reader.last >= last), `everyone at ${last}`);
  expect(readers.map(({ faults, last: got }) => ({ faults, got }))).toEqual(
    readers.map(() => ({ faults: [], got: last })),
  );
  expect(maxOpen).toBe(1);
}

async function control(change: NumberedControl): Promise<void> {
  await fetch(`${origin}/control`, { method: "POST", body: JSON.stringify(change) });
}
