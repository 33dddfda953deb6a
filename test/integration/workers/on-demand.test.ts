import { afterEach, beforeEach, expect, test } from "vitest";
import { startNumberedUpstream, type NumberedUpstream } from "../../support/numbered-upstream.js";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { askAgain, startWorkers, type WorkersServer } from "../../support/workers.ts";

let source: NumberedUpstream;
let server: WorkersServer;

beforeEach(async () => {
  source = await startNumberedUpstream({ retry: 10 });
  const upstream = { url: source.url, connect: "on-demand" as const, linger: "300ms" };
  server = await startWorkers(3, { streams: { s: { upstream } } });
});

afterEach(async () => {
  await server.close();
  await source.close();
});

async function subscribe(clients: number): Promise<Reading[]> {
  const readings = await Promise.all(
    Array.from({ length: clients }, async () =>
      read(await askAgain(() => fetch(`${server.url}/streams/s?after=earliest`))),
    ),
  );
  await Promise.all(readings.map((reading) => reading.until(({ events }) => events.length > 0)));
  return readings;
}

const state = async (): Promise<string> => (await server.status()).streams["s"]!.upstream!.state;

test("one connection serves the subscribers of all workers, and closes when the last one has left", async () => {
  expect(await state()).toBe("idle");
  const readings = await subscribe(6);
  await eventually(() => source.state().open === 1, "the connection");
  source.control({ emit: 3 });
  await Promise.all(readings.map((reading) => reading.until(() => reading.data().length === 3)));
  expect(await state()).toBe("open");
  const [last, ...others] = readings;
  await Promise.all(others.map((reading) => reading.cancel()));
  await eventually(async () => (await server.status()).streams["s"]!.subscribers === 1, "one subscriber");
  source.control({ emit: 1 });
  await last!.until(() => last!.data().length === 4);
  await last!.cancel();
  await eventually(() => source.state().open === 0, "its end");
  await eventually(async () => (await state()) === "idle", "idle");
  expect(source.state().connections).toHaveLength(1);
});

test("a held long poll counts as demand, and releases it afterwards", async () => {
  const accept = { accept: "application/json" };
  const held = fetch(`${server.url}/streams/s?wait=30`, { headers: accept });
  await eventually(() => source.state().open === 1, "the connection");
  source.control({ emit: 1 });
  expect(((await (await held).json()) as { events: unknown[] }).events).toHaveLength(1);
  await eventually(() => source.state().open === 0, "its end");
});

test("a worker that dies releases its demand", async () => {
  const [reading] = await subscribe(1);
  await eventually(() => source.state().open === 1, "the connection");
  const holder = (await server.status()).workers.find(({ subscribers }) => subscribers === 1)!;
  process.kill(holder.pid, "SIGKILL");
  await reading!.until(({ ended }) => ended);
  await eventually(() => source.state().open === 0, "the end of the connection");
  // And the next one starts it again.
  await subscribe(1);
  await eventually(() => source.state().open === 1, "the second connection");
});

test("every client of every worker is informed about the upstream", async () => {
  const readings = await subscribe(6);
  await eventually(() => source.state().open === 1, "the connection");
  source.control({ drop: "reset", always: { status: 503 } });
  await Promise.all(
    readings.map((reading) =>
      reading.until(() => reading.controls("spillway.upstream").some((control) => control["state"] === "waiting")),
    ),
  );
  source.control({ always: null });
  await Promise.all(
    readings.map((reading) => reading.until(() => reading.controls("spillway.upstream").at(-1)?.["state"] === "open")),
  );
});
