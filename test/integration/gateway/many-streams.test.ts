import { createHook } from "node:async_hooks";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGateway, type Gateway } from "spillway";
import { afterEach, expect, test } from "vitest";
import { stores } from "../../support/gateways.ts";
import { read, type Reading } from "../../support/reader.ts";
import { startWorkers } from "../../support/workers.ts";

const many = 1_000;
const namesOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `s${index}`);
const streamsOf = (count: number): Record<string, object> =>
  Object.fromEntries(namesOf(count).map((name) => [name, {}]));

const cleanUps: Array<() => Promise<unknown>> = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

/** A gateway with this many streams, closed at the end of the test at the latest. */
async function open(
  store: (typeof stores)[number],
  count: number,
): Promise<{ gateway: Gateway; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "spillway-"));
  const url = store === "memory" ? "memory:" : `sqlite:${folder}/log.db`;
  const access = { anonymous: ["subscribe"] as const };
  const gateway = await createGateway({ store: url, access, streams: streamsOf(count) });
  const close = async (): Promise<void> => {
    await gateway.close();
    await rm(folder, { recursive: true, force: true });
  };
  cleanUps.push(close);
  return { gateway, close };
}

async function follow(answer: Promise<Response>): Promise<Reading> {
  return read(await answer).until(({ events }) => events.length > 0);
}

/** Subscribes to each of a gateway's streams. */
function followAll(gateway: Gateway, count: number): Promise<Reading[]> {
  return Promise.all(namesOf(count).map((name) => follow(gateway.fetch(new Request(`http://x/streams/${name}`)))));
}

test.each(stores)(
  "%s: with 1,000 streams that are published to at once, each subscriber gets the events of its own stream",
  async (store) => {
    const { gateway } = await open(store, many);
    const readings = await followAll(gateway, many);
    const ids = await Promise.all(
      namesOf(many).map((name) => gateway.publish(name, [{ data: name }, { data: "end" }])),
    );
    expect(ids.map(([first]) => first!.split(".")[1])).toEqual(namesOf(many).map(() => "1"));
    await Promise.all(readings.map((reading) => reading.until(({ data }) => data().length >= 2)));
    expect(readings.map((reading) => reading.data())).toEqual(namesOf(many).map((name) => [name, "end"]));
  },
);

/** The currently pending timers that were set since the call. */
function countTimers(): { waiting(): number; stop(): void } {
  const waiting = new Set<number>();
  const hook = createHook({
    init(id, type) {
      if (type === "Timeout") waiting.add(id);
    },
    destroy: (id) => void waiting.delete(id),
  }).enable();
  return { waiting: () => waiting.size, stop: () => hook.disable() };
}

/** Timers that others set meanwhile, such as the test runner. */
const unrelated = 20;

test.each(stores)(
  "%s: the number of timers does not grow with the number of streams and their subscribers",
  async (store) => {
    const timers = countTimers();
    const measure = async (count: number): Promise<{ timers: number; resources: number }> => {
      const { gateway, close } = await open(store, count);
      const readings = await followAll(gateway, count);
      await Promise.all(namesOf(count).map((name) => gateway.publish(name, { data: "x" })));
      await Promise.all(readings.map((reading) => reading.until(({ data }) => data().length > 0)));
      const found = { timers: timers.waiting(), resources: process.getActiveResourcesInfo().length };
      await Promise.all(readings.map((reading) => reading.cancel()));
      await close();
      return found;
    };
    const one = await measure(1);
    const all = await measure(many);
    timers.stop();
    expect(all.timers).toBeLessThan(one.timers + unrelated);
    expect(all.resources).toBeLessThan(one.resources + unrelated);
  },
);

test("workers: a subscriber of any of many streams gets its events, and the counts are correct", async () => {
  const server = await startWorkers(2, { streams: streamsOf(200) });
  cleanUps.push(() => server.close());
  const names = namesOf(200).filter((_, index) => index % 20 === 0);
  const readings = await Promise.all(names.map((name) => follow(fetch(`${server.url}/streams/${name}`))));
  await Promise.all(namesOf(200).map((name) => server.publish(name, { data: name })));
  await Promise.all(readings.map((reading) => reading.until(({ data }) => data().length > 0)));
  expect(readings.map((reading) => reading.data())).toEqual(names.map((name) => [name]));
  const counts = async (): Promise<object[]> => {
    const { streams } = await server.status();
    return names.map((name) => ({ subscribers: streams[name]!.subscribers, delivered: streams[name]!.delivered }));
  };
  await expect.poll(counts).toEqual(names.map(() => ({ subscribers: 1, delivered: 1 })));
  await Promise.all(readings.map((reading) => reading.cancel()));
  await expect.poll(counts).toEqual(names.map(() => ({ subscribers: 0, delivered: 1 })));
});
