import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { read, type Reading } from "../../support/reader.ts";
import { startWorkers, untilEnded, type WorkersServer } from "../../support/workers.ts";

let server: WorkersServer;
let pids: number[];

beforeEach(async () => {
  server = await startWorkers(3, { streams: { s: {} }, drain: "2s" });
  pids = await server.pids();
});

afterEach(() => server.close());

async function subscribe(clients: number): Promise<Reading[]> {
  const readings = await Promise.all(
    Array.from({ length: clients }, async () => read(await fetch(`${server.url}/streams/s`))),
  );
  await Promise.all(readings.map((reading) => reading.until(({ events }) => events.length > 0)));
  return readings;
}

/** Checks that all published events arrive, then the goodbye, and nothing else. */
function expectWholeStory(readings: readonly Reading[], events: number): void {
  const wanted = Array.from({ length: events }, (_, n) => String(n + 1));
  for (const reading of readings) {
    expect(reading.data()).toEqual(wanted);
    expect(reading.events.at(-1)).toMatchObject({ event: "spillway.bye" });
  }
}

async function publishMany(events: number): Promise<void> {
  for (let n = 1; n <= events; n += 10) {
    const batch = Array.from({ length: 10 }, (_, i) => ({ data: String(n + i) }));
    expect((await server.publish("s", batch)).status).toBe(200);
  }
}

test("SIGTERM: every client gets the appended events and its goodbye, the exit code is 0, no process is left", async () => {
  const readings = await subscribe(12);
  await publishMany(500);
  expect(await server.program.kill("SIGTERM")).toBe(0);
  await Promise.all(readings.map((reading) => reading.until(({ ended }) => ended)));
  expectWholeStory(readings, 500);
  await untilEnded(pids);
  expect(server.program.output()).toContain('"stopped"');
  expect(server.program.output()).not.toContain("it is replaced");
});

test("a signal to all processes at once is handled by the primary", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const readings = await subscribe(6);
    await publishMany(50);
    for (const pid of pids) process.kill(pid, signal);
    expect(await server.program.kill(signal)).toBe(0);
    await Promise.all(readings.map((reading) => reading.until(({ ended }) => ended)));
    expectWholeStory(readings, 50);
    await untilEnded(pids);
    await server.close();
    server = await startWorkers(3, { streams: { s: {} } });
    pids = await server.pids();
  }
  // A single worker cannot be stopped this way.
  process.kill(pids[0]!, "SIGTERM");
  expect(await server.pids()).toEqual(pids);
});

test("a second signal ends it at once", async () => {
  const socket = connect(server.port, "127.0.0.1").on("error", () => {});
  // A request that never ends keeps its worker draining.
  socket.write(
    "POST /streams/s/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
  );
  await once(socket, "data");
  server.program.process.kill("SIGTERM");
  await server.program.printed('"stopping"');
  expect(await server.program.insist("SIGTERM")).toBe(143);
  await untilEnded(pids);
  socket.destroy();
});

test("a worker that does not end in time is killed", async () => {
  process.kill(pids[0]!, "SIGSTOP");
  expect(await server.program.kill("SIGTERM")).toBe(0);
  await untilEnded(pids);
});

test("a primary that dies takes its workers with it, including those with clients", async () => {
  const readings = await subscribe(6);
  await server.program.kill("SIGKILL");
  await untilEnded(pids);
  await Promise.all(readings.map((reading) => reading.until(({ ended }) => ended)));
});
