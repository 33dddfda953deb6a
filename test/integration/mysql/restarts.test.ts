import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { Log, LogStore } from "../../../src/log/log.ts";
import { openMysqlPlace, queryMysql, startMysql, throughPort, type MysqlServer } from "../../support/mysql.ts";
import { startProgram } from "../../support/process.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import {
  appendSurely,
  contentOf,
  eventsOf,
  everything,
  follow,
  numbersTo,
  openLog,
  untilDone,
} from "../../support/store-nodes.ts";
import { eventually } from "../../support/reader.ts";
import { createLogLines, lookInterval, openStore } from "./stores.ts";

let server: MysqlServer;

beforeAll(async () => {
  server = await startMysql();
});

afterAll(() => server.remove());

test("a server that is stopped, killed and started again loses nothing, doubles nothing, and every node goes on", async () => {
  const place = openMysqlPlace(server.url);
  const logger = createLogLines();
  const here = await openLog(await openStore(place.url, { logger }));
  const there = await openLog(await openStore(place.url, { node: "b" }));
  const heard = follow(there);
  let writing = true;
  let count = 0;
  const writer = (async () => {
    while (writing) {
      const batch = eventsOf(String(++count));
      await appendSurely(here, batch);
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
  expect(heard.map(({ seq }) => seq)).toEqual(numbersTo(count));
  expect(heard.map(({ data }) => data)).toEqual(numbersTo(count).map(String));
  expect(await untilDone(() => contentOf(here))).toEqual(heard);
  // Said once for each outage, not for each try.
  expect(logger.lines.filter(({ message }) => message === "the log cannot be reached").length).toBeLessThanOrEqual(3);
});

test("while the server is away every call fails with store-unavailable, and a store can be closed", async () => {
  const store = await openStore(openMysqlPlace(server.url).url);
  const log = await openLog(store);
  await log.append(eventsOf("1"));
  await server.stop();
  const calls = [
    () => log.append(eventsOf("2")),
    () => log.read(0, { limit: 1 }),
    () => log.find({ upstreamId: "u" }),
    () => log.trim(),
    () => store.open("other", { retention: everything }),
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

interface Node {
  readonly store: LogStore;
  readonly log: Log;
  readonly resets: string[];
}

async function openNode(url: string, node: string): Promise<Node> {
  const resets: string[] = [];
  const store = await openStore(url, { node, onReset: (stream) => resets.push(stream) });
  return { store, log: await openLog(store), resets };
}

/** One reset on each node; the old log refuses everything; both nodes have the same new one, and it takes events. */
async function expectNewLog(here: Node, there: Node): Promise<[Log, Log]> {
  await eventually(() => here.resets.length > 0 && there.resets.length > 0);
  expect([here.resets, there.resets]).toEqual([["s"], ["s"]]);
  await expect(here.log.append(eventsOf("x"))).rejects.toMatchObject({ code: "store-unavailable" });
  await expect(here.log.read(0, { limit: 1 })).rejects.toMatchObject({ code: "store-unavailable" });
  const logs: [Log, Log] = [await openLog(here.store), await openLog(there.store)];
  expect(logs[0].epoch).toBe(logs[1].epoch);
  expect(logs[0].epoch).not.toBe(here.log.epoch);
  return logs;
}

test("a server that comes back from an older copy has a new log, announced on every node", async () => {
  const place = openMysqlPlace(server.url);
  const [here, there] = [await openNode(place.url, "a"), await openNode(place.url, "b")];
  await here.log.append(eventsOf("1", "2"), { upstreamCursor: "u2" });
  await server.save();
  await appendSurely(here.log, eventsOf("3"), { upstreamCursor: "u3" });
  await eventually(() => there.log.state().head === 3);
  await server.restore();

  const [log, other] = await expectNewLog(here, there);
  // It goes on with what is left, so that ingest can ask for the rest.
  expect([log.state().head, log.state().upstreamCursor]).toEqual([2, "u2"]);
  const heard = follow(other);
  expect(await log.append(eventsOf("3"))).toMatchObject({ first: 3 });
  await eventually(() => heard.length === 1);
  expect((await contentOf(other)).map(({ data }) => data)).toEqual(["1", "2", "3"]);
}, 60_000);

test("a server that comes back with other events in the place of its latest has a new log", async () => {
  const place = openMysqlPlace(server.url);
  const proxy = await startTcpProxy(server.port);
  onTestFinished(() => proxy.close());
  const here = await openNode(throughPort(place.url, proxy.port), "a");
  await here.log.append(eventsOf("1"));
  await server.save();
  await appendSurely(here.log, eventsOf("2", "3"));
  proxy.refuse(true);
  await server.restore();
  // Another node goes on from what is left, beyond what the first one knows.
  const there = await openNode(place.url, "b");
  await there.log.append(eventsOf("4", "5", "6"));
  proxy.refuse(false);

  // Nothing is appended behind what was never here, not even by the first call.
  while (here.resets.length === 0) {
    await expect(here.log.append(eventsOf("x"))).rejects.toMatchObject({ code: "store-unavailable" });
  }
  const [log] = await expectNewLog(here, there);
  expect((await contentOf(log)).map(({ data }) => data)).toEqual(["1", "4", "5", "6"]);
}, 60_000);

test("tables that were removed are made again, as a new log that is announced on every node", async () => {
  const place = openMysqlPlace(server.url);
  const [here, there] = [await openNode(place.url, "a"), await openNode(place.url, "b")];
  await here.log.append(eventsOf("1"));
  await place.remove();
  await expect(here.log.append(eventsOf("2"))).rejects.toMatchObject({ code: "store-unavailable" });
  const [log] = await expectNewLog(here, there);
  expect(log.state().head).toBe(0);
  expect(await log.append(eventsOf("1"))).toMatchObject({ first: 1 });
});

test("a node that is stopped in the midst of an append keeps nobody from appending, and its events come once", async () => {
  const place = openMysqlPlace(server.url);
  const proxy = await startTcpProxy(server.port);
  onTestFinished(() => proxy.close());
  const log = await openLog(await openStore(place.url, { node: "b" }));
  const node = startProgram("test/integration/mysql/append-two.js", [throughPort(place.url, proxy.port)]);
  onTestFinished(async () => void (await node.kill("SIGKILL")));
  await node.printed("appended 1");
  proxy.delay(500);
  // It has the stream's lock, and the answer is on its way.
  await eventually(
    async () => {
      const rows = await queryMysql(
        server.url,
        "SELECT 1 FROM information_schema.innodb_trx WHERE trx_query IS NULL AND trx_rows_locked > 0",
      );
      return rows.length === 1;
    },
    "a transaction that holds the lock",
    lookInterval,
  );
  node.process.kill("SIGSTOP");
  expect(await log.append(eventsOf("3"))).toEqual({ first: 2, last: 2, replayed: false });
  proxy.delay(0);
  node.process.kill("SIGCONT");
  await node.printed("appended 2");
  expect((await contentOf(log)).map(({ data }) => data)).toEqual(["1", "3", "2"]);
}, 60_000);
