import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { Log, LogStore } from "../../../src/log/log.ts";
import { silentLogger } from "../../../src/util/logger.ts";
import { openPostgresPlace, startPostgres, throughPort, type PostgresServer } from "../../support/postgres.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { contentOf, eventsOf, follow, openLog, untilDone } from "../../support/store-nodes.ts";
import { eventually } from "../../support/reader.ts";
import { openStore } from "./stores.ts";

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(() => server.remove());

test("a server that is stopped, killed and started again loses nothing, doubles nothing, and every node goes on", async () => {
  const place = openPostgresPlace(server.url);
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) };
  const here = await openLog(await openStore(place.url, { logger }));
  const there = await openLog(await openStore(place.url, { node: "b" }));
  const heard = follow(there);
  let writing = true;
  let count = 0;
  const writer = (async () => {
    while (writing) {
      const batch = eventsOf(String(++count));
      await untilDone(() => here.append(batch));
    }
  })();
  for (const end of ["stop", "kill", "kill"] as const) {
    const before = count;
    await eventually(() => count > before + 20);
    await server[end]();
    await server.start();
  }
  const before = count;
  await eventually(() => count > before + 20);
  writing = false;
  await writer;
  await eventually(() => heard.length >= count);
  expect(heard.map(({ seq }) => seq)).toEqual(Array.from({ length: count }, (_, index) => index + 1));
  expect(heard.map(({ data }) => data)).toEqual(Array.from({ length: count }, (_, index) => String(index + 1)));
  expect(await untilDone(() => contentOf(here))).toEqual(heard);
  // Said once for each outage, not for each try.
  expect(warnings.filter((message) => message === "the log cannot be reached").length).toBeLessThanOrEqual(3);
});

test("while the server is away every call fails with store-unavailable, and a store can be closed", async () => {
  const store = await openStore(openPostgresPlace(server.url).url);
  const log = await openLog(store);
  await log.append(eventsOf("1"));
  await server.stop();
  const calls = [
    () => log.append(eventsOf("2")),
    () => log.read(0, { limit: 1 }),
    () => log.find({ upstreamId: "u" }),
    () => log.trim(),
    () => store.open("other", { retention: { age: undefined, events: undefined, bytes: undefined } }),
    () => store.coordination!.acquire("s", 1_000),
    () => store.coordination!.holder("s"),
    () => store.coordination!.declareDemand("s", 1_000),
    () => store.coordination!.hasDemand("s"),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "store-unavailable" });
  expect(log.state().head).toBe(1);
  await store.close();
  await server.start();
});

test("a server that comes back without its latest events is a new log, announced on every node", async () => {
  const place = openPostgresPlace(server.url);
  const [here, there] = [await openNode(place.url, "a"), await openNode(place.url, "b")];
  await here.log.append(eventsOf("1", "2"), { upstreamCursor: "u2" });
  await server.save();
  await here.log.append(eventsOf("3"), { upstreamCursor: "u3" });
  await eventually(() => there.log.state().head === 3);
  await server.restore();

  await eventually(() => here.resets.length > 0 && there.resets.length > 0);
  const logs = [await untilDone(() => openLog(here.store)), await untilDone(() => openLog(there.store))];
  for (const log of logs) {
    expect(log.epoch).not.toBe(here.log.epoch);
    expect(log.epoch).toBe(logs[0]!.epoch);
    expect(log.state()).toMatchObject({ head: 2, upstreamCursor: "u2" });
  }
  expect(await logs[0]!.append(eventsOf("3"), { upstreamCursor: "u3" })).toMatchObject({ first: 3, last: 3 });
  for (const { log, resets } of [here, there]) {
    expect(resets).toEqual(["s"]);
    await expect(log.append(eventsOf("x"))).rejects.toMatchObject({ code: "store-unavailable" });
    await expect(log.read(0, { limit: 1 })).rejects.toMatchObject({ code: "store-unavailable" });
  }
});

test("a server that comes back with other events in the place of its latest is a new log", async () => {
  const place = openPostgresPlace(server.url);
  const proxy = await startTcpProxy(server.port);
  onTestFinished(() => proxy.close());
  const here = await openNode(throughPort(place.url, proxy.port), "a");
  await here.log.append(eventsOf("1"));
  await server.save();
  await here.log.append(eventsOf("2", "3"));
  proxy.refuse(true);
  await server.restore();
  // Another node goes on from what is left, beyond what the first one knows.
  const there = await openNode(place.url, "b");
  await there.log.append(eventsOf("4", "5", "6"));
  proxy.refuse(false);

  // By the first call already: nothing is appended behind what was never here.
  const batch = eventsOf("x");
  await untilReset(() => here.log.append(batch), here.resets);
  const log = await openLog(here.store);
  expect((await contentOf(log)).map(({ data }) => data)).toEqual(["1", "4", "5", "6"]);
  expect(log.epoch).not.toBe(here.log.epoch);
  await eventually(() => there.resets.length > 0);
});

/** A node of a test. */
interface Node {
  readonly store: LogStore;
  readonly log: Log;
  readonly resets: readonly string[];
}

async function openNode(url: string, node: string): Promise<Node> {
  const resets: string[] = [];
  const store = await openStore(url, { node, onReset: (stream) => resets.push(stream) });
  return { store, log: await openLog(store), resets };
}

async function untilReset(call: () => Promise<unknown>, resets: readonly string[]): Promise<void> {
  while (resets.length === 0) await expect(call()).rejects.toMatchObject({ code: "store-unavailable" });
}
