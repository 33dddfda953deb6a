import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Log, LogStore } from "../../../src/log/log.ts";
import { silentLogger } from "../../../src/util/logger.ts";
import { brokers } from "../../support/brokers.ts";
import type { EngineServer } from "../../support/engine-server.ts";
import { throughPort } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";
import { engines } from "../../support/shared-engines.ts";
import {
  appendSurely,
  contentOf,
  dataOf,
  eventsOf,
  everything,
  follow,
  numbersTo,
  openLog,
  proxyForTest,
  untilDone,
} from "../../support/store-nodes.ts";

const unavailable = { code: "store-unavailable" };

interface Node {
  readonly store: LogStore;
  readonly log: Log;
  readonly resets: readonly string[];
}

/** Checks that each node gets one reset, the old log refuses everything, and both nodes open the same new one. */
async function expectNewLog(here: Node, there: Node): Promise<[Log, Log]> {
  await eventually(() => here.resets.length > 0 && there.resets.length > 0);
  const logs: [Log, Log] = [await untilDone(() => openLog(here.store)), await untilDone(() => openLog(there.store))];
  expect(logs[0].epoch).toBe(logs[1].epoch);
  for (const { log, resets } of [here, there]) {
    expect(logs[0].epoch).not.toBe(log.epoch);
    expect(resets).toEqual(["s"]);
    await expect(log.append(eventsOf("x"))).rejects.toMatchObject(unavailable);
    await expect(log.read(0, { limit: 1 })).rejects.toMatchObject(unavailable);
  }
  return logs;
}

describe.each(engines)("$name", ({ name, startServer, openPlace, openStore }) => {
  let server: EngineServer;
  // Brokers get an append as one message, which may have been sent before its failure was noticed.
  const appendCode = expect.stringMatching(
    brokers.some((broker) => broker.name === name) ? /^(store-unavailable|append-unknown)$/ : /^store-unavailable$/,
  );

  beforeAll(async () => {
    server = await startServer();
  });

  afterAll(() => server.remove());

  async function openNode(url: string, node: string): Promise<Node> {
    const resets: string[] = [];
    const store = await openStore(url, { node, onReset: (stream) => resets.push(stream) });
    return { store, log: await openLog(store), resets };
  }

  test("a server that is stopped, killed and restarted loses and duplicates nothing, and every node continues", async () => {
    const url = openPlace(server.url).url;
    const warnings: string[] = [];
    const resets: string[] = [];
    const onReset = (stream: string): void => void resets.push(stream);
    const logger = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) };
    const here = await openLog(await openStore(url, { logger, onReset }));
    const there = await openLog(await openStore(url, { node: "b", onReset }));
    const heard = follow(there);
    let writing = true;
    let count = 0;
    const firsts = new Map<string, number>();
    const append = async (data: string): Promise<void> => {
      firsts.set(data, await appendSurely(here, eventsOf(data)));
    };
    const writers = [
      async () => {
        while (writing) await append(String(++count));
      },
      async () => {
        for (let round = 0; writing; round++) {
          await Promise.all(numbersTo(30).map((number) => append(`at once ${round}.${number}`)));
        }
      },
    ].map((write) => write());
    for (const end of ["stop", "kill", "kill"] as const) {
      const before = count;
      await eventually(() => count > before + 20);
      await server[end]();
      await server.start();
    }
    const before = count;
    await eventually(() => count > before + 20);
    writing = false;
    await Promise.all(writers);
    await eventually(() => heard.length >= firsts.size);
    expect(heard.map(({ seq }) => seq)).toEqual(numbersTo(firsts.size));
    expect(new Map(heard.map(({ seq, data }) => [data, seq]))).toEqual(firsts);
    const oneByOne = heard.map(({ data }) => data).filter((data) => !data.startsWith("at once"));
    expect(oneByOne).toEqual(numbersTo(count).map(String));
    expect(await untilDone(() => contentOf(here))).toEqual(heard);
    expect(resets).toEqual([]);
    // Logged once per outage, not per attempt.
    expect(warnings.filter((message) => message === "the log cannot be reached").length).toBeLessThanOrEqual(3);
  });

  test("while the server is away every call fails with store-unavailable and a store can be closed, and all works when it is back", async () => {
    const { url } = openPlace(server.url);
    const store = await openStore(url);
    const log = await openLog(store);
    const [here, there] = [await openNode(url, "b"), await openNode(url, "c")];
    const heard = follow(there.log);
    await log.append(eventsOf("1"));
    await server.stop();
    const append = log.append(eventsOf("2"));
    const calls = [
      log.read(0, { limit: 1 }),
      log.find({ upstreamId: "u" }),
      log.trim(),
      store.open("other", { retention: everything }),
      store.coordination!.acquire("s", 1_000),
      store.coordination!.holder("s"),
      store.coordination!.declareDemand("s", 1_000),
      store.coordination!.hasDemand("s"),
    ];
    await Promise.all([
      expect(append).rejects.toMatchObject({ code: appendCode }),
      ...calls.map((call) => expect(call).rejects.toMatchObject(unavailable)),
    ]);
    expect(log.state().head).toBe(1);
    await store.close();
    await server.start();
    expect(await appendSurely(here.log, eventsOf("2"))).toBe(2);
    await eventually(() => heard.length >= 2, "the events on the other node");
    expect(heard.map(({ seq, data }) => [seq, data])).toEqual([
      [1, "1"],
      [2, "2"],
    ]);
    expect([here.resets, there.resets]).toEqual([[], []]);
  });

  test("removed tables, keys or streams are created again, as a new log that is announced once on every node", async () => {
    const place = openPlace(server.url);
    const [here, there] = [await openNode(place.url, "a"), await openNode(place.url, "b")];
    await here.log.append(eventsOf("1", "2"));
    await place.remove();
    await expect(here.log.append(eventsOf("3"))).rejects.toMatchObject({ code: appendCode });
    const [log] = await expectNewLog(here, there);
    expect(log.state().head).toBe(0);
    expect(await log.append(eventsOf("1"))).toEqual({ first: 1, last: 1, replayed: false });
  });

  test("a server that comes back without its latest events has a new log, announced on every node", async () => {
    const url = openPlace(server.url).url;
    const [here, there] = [await openNode(url, "a"), await openNode(url, "b")];
    await here.log.append(eventsOf("1", "2"), { upstreamCursor: "u2" });
    await server.save();
    await appendSurely(here.log, eventsOf("3"), { upstreamCursor: "u3" });
    await eventually(() => there.log.state().head === 3);
    await server.restore();

    const [log, other] = await expectNewLog(here, there);
    // It continues from the remaining events, so that ingest can request the rest.
    for (const each of [log, other]) expect(each.state()).toMatchObject({ head: 2, upstreamCursor: "u2" });
    const heard = follow(other);
    expect(await log.append(eventsOf("3"), { upstreamCursor: "u3" })).toMatchObject({ first: 3, last: 3 });
    await eventually(() => heard.length === 1);
    expect(await dataOf(other)).toEqual(["1", "2", "3"]);
  });

  test("a server that comes back with other events instead of its latest ones has a new log", async () => {
    const url = openPlace(server.url).url;
    const proxy = await proxyForTest(server);
    const here = await openNode(throughPort(url, proxy.port), "a");
    await here.log.append(eventsOf("1"));
    await server.save();
    await appendSurely(here.log, eventsOf("2", "3"));
    proxy.refuse(true);
    await server.restore();
    // Another node continues from what is left, beyond what the first one knows.
    const there = await openNode(url, "b");
    expect(there.log.epoch).toBe(here.log.epoch);
    for (const data of ["4", "5", "6"]) await there.log.append(eventsOf(data));
    proxy.refuse(false);

    // Nothing is appended behind what was never here, not even by the first call.
    while (here.resets.length === 0) {
      await expect(here.log.append(eventsOf("x"))).rejects.toMatchObject(unavailable);
    }
    const [log] = await expectNewLog(here, there);
    expect(await dataOf(log)).toEqual(["1", "4", "5", "6"]);
  });
});
