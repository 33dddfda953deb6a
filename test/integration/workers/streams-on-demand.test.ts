import { expect, onTestFinished, test } from "vitest";
import { parseExposition, valueOf } from "../../support/exposition.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { startWorkers, type WorkersServer } from "../../support/workers.ts";

async function start(idle: string): Promise<WorkersServer> {
  const server = await startWorkers(2, { streams: { "chat-*": { onDemand: { idle } } } });
  onTestFinished(() => server.close());
  return server;
}

/** Over a connection of its own, which the next worker gets. */
const once = { connection: "close" };

async function subscribe({ url }: WorkersServer, path: string): Promise<Reading> {
  return read(await fetch(`${url}/streams/${path}`, { headers: { accept: "text/event-stream", ...once } }));
}

async function names({ url }: WorkersServer): Promise<string[]> {
  const { streams } = (await (await fetch(`${url}/streams`, { headers: once })).json()) as {
    streams: { name: string }[];
  };
  return streams.map(({ name }) => name).toSorted();
}

test("a stream made in one worker is that of the others, with its first event, in lists and in metrics", async () => {
  const server = await start("1h");
  const readings = await Promise.all([1, 2, 3, 4].map(() => subscribe(server, "chat-1")));
  for (const data of ["one", "two"]) expect((await server.publish("chat-1", { data })).status).toBe(200);
  expect((await server.publish("chat-2", { data: "other" })).status).toBe(200);
  for (const reading of readings) {
    await reading.until(() => reading.data().length === 2);
    expect(reading.data()).toEqual(["one", "two"]);
  }
  expect(await names(server)).toEqual(["chat-1", "chat-2"]);
  const metrics = parseExposition(await (await fetch(`${server.url}/metrics`, { headers: once })).text());
  const of = (name: string): number | undefined => valueOf(metrics, name, { stream: "chat-*" });
  expect(of("spillway_on_demand_streams")).toBe(2);
  expect(of("spillway_subscribers")).toBe(4);
  expect(of("spillway_log_appended_events_total")).toBe(3);
  const { streams, workers } = await server.status();
  expect(streams["chat-1"]?.subscribers).toBe(4);
  expect(workers.reduce((sum, { subscribers }) => sum + subscribers, 0)).toBe(4);
  expect((await fetch(`${server.url}/streams/room-1`, { headers: once })).status).toBe(404);
  await Promise.all(readings.map((reading) => reading.cancel()));
});

test("a stream is removed once no worker uses it, and not before", async () => {
  const server = await start("1s");
  const used = await subscribe(server, "chat-used");
  await server.publish("chat-unused", { data: "one" });
  await eventually(async () => (await names(server)).join() === "chat-used", "the unused stream is removed");
  await server.publish("chat-used", { data: "one" });
  await used.until(() => used.data().length === 1);
  await used.cancel();
  await eventually(async () => (await names(server)).length === 0, "the other stream is removed as well");
});
