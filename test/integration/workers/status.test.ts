import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { askAgain, startWorkers, untilEnded, type WorkersServer, type WorkersStatus } from "../../support/workers.ts";

let server: WorkersServer;
let readings: Reading[];

beforeEach(async () => {
  readings = [];
  server = await startWorkers(3, { streams: { s: {} } });
});

afterEach(() => server.close());

async function subscribe(clients: number): Promise<void> {
  // One after the other: who is busy at that moment is passed over.
  for (let n = 0; n < clients; n++) {
    const reading = read(await askAgain(() => fetch(`${server.url}/streams/s`)));
    await reading.until(({ events }) => events.length > 0);
    readings.push(reading);
  }
}

const get = async (path: string): Promise<Record<string, unknown>> =>
  (await (await fetch(`${server.url}${path}`, { headers: { connection: "close" } })).json()) as Record<string, unknown>;

/** The `/status` of each worker, requested in turn. */
const everyAnswer = async (): Promise<WorkersStatus[]> => [
  await server.status(),
  await server.status(),
  await server.status(),
];

test("connections are spread evenly", async () => {
  await subscribe(30);
  const { workers } = await server.status();
  for (const { subscribers } of workers) expect(Math.abs(subscribers - 10)).toBeLessThanOrEqual(2);
  expect(new Set(workers.map(({ pid }) => pid)).size).toBe(3);
});

test("a worker that replaces a dead one gets more connections than others, until it has about as many", async () => {
  await subscribe(60);
  const before = await server.pids();
  process.kill(before[0]!, "SIGKILL");
  await untilEnded([before[0]!]);
  const taken = async (): Promise<number> => {
    const { workers } = await server.status();
    return workers.find(({ pid }) => !before.includes(pid))?.subscribers ?? 0;
  };
  await eventually(async () => {
    await subscribe(1);
    return (await taken()) > 0;
  }, "a first client of the new one");
  await subscribe(40);
  const most = Math.max(...(await server.status()).workers.map(({ subscribers }) => subscribers));
  // With round robin alone it would have less than half.
  expect(await taken()).toBeGreaterThanOrEqual(0.75 * most);
});

test("every worker answers for all of them", async () => {
  await subscribe(30);
  await server.publish("s", [{ data: "a" }, { data: "b" }]);
  await Promise.all(readings.map((reading) => reading.until(() => reading.data().length === 2)));
  for (const { streams, ready } of await everyAnswer()) {
    expect(ready).toBe(true);
    expect(streams["s"]).toMatchObject({ subscribers: 30, delivered: 60, lag: 0, unsent: 0, paused: null });
    expect(await get("/api/status")).toMatchObject({ clientConnections: 30, status: "ok" });
    expect(await get("/api/metrics")).toMatchObject({ eventsReceived: 2, eventsBroadcast: 60 });
    expect(await get("/readyz")).toEqual({ status: "ok" });
  }
  await Promise.all(readings.slice(0, 12).map((reading) => reading.cancel()));
  await eventually(async () => (await server.status()).streams["s"]!.subscribers === 18, "18 subscribers");
  for (const { streams } of await everyAnswer()) expect(streams["s"]!.closed).toMatchObject({ client: 12 });
});

test("the counts of a worker are kept when it dies", async () => {
  await subscribe(9);
  await server.publish("s", { data: "a" });
  await Promise.all(readings.map((reading) => reading.until(() => reading.data().length === 1)));
  const { workers } = await server.status();
  const { pid: victim, subscribers: lost } = workers[1]!;
  expect(lost).toBeGreaterThan(0);
  process.kill(victim, "SIGKILL");
  await untilEnded([victim]);
  await eventually(async () => {
    const status = await server.status();
    return status.workers.length === 3 && !status.workers.some(({ pid }) => pid === victim);
  }, "a replacement");
  for (const { streams } of await everyAnswer()) {
    expect(streams["s"]).toMatchObject({ subscribers: 9 - lost, delivered: 9 });
  }
  expect(server.program.output()).toContain('"signal":"SIGKILL"');
});

test("the status of a gateway without workers lists none", async () => {
  await server.close();
  server = await startWorkers(1, { streams: { s: {} } });
  expect(await server.status()).not.toHaveProperty("workers");
});

test("with Node's HTTP server, workers deliver as well, and each reports it", async () => {
  const own = await startWorkers(2, { listener: "node", streams: { s: {} } });
  try {
    const responses = await Promise.all([1, 2, 3, 4].map(() => askAgain(() => fetch(`${own.url}/streams/s`))));
    const readers = responses.map((response) => read(response));
    await Promise.all(readers.map((reading) => reading.until(({ events }) => events.length > 0)));
    await own.publish("s", { data: "hello" });
    await Promise.all(readers.map((reading) => reading.until(() => reading.data().includes("hello"))));
    expect([await own.status(), await own.status()]).toMatchObject([{ listener: "node" }, { listener: "node" }]);
    await Promise.all(readers.map((reading) => reading.cancel()));
  } finally {
    await own.close();
  }
});
