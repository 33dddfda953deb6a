import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { Log, LogStore } from "../../../src/log/log.ts";
import { openMysqlPlace, queryMysql, startMysql, throughPort, type MysqlServer } from "../../support/mysql.ts";
import { startProgram } from "../../support/process.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { contentOf, eventsOf, openLog } from "../../support/store-nodes.ts";
import { eventually } from "../../support/reader.ts";
import { lookInterval, openStore } from "./stores.ts";

let server: MysqlServer;

beforeAll(async () => {
  server = await startMysql();
});

afterAll(() => server.remove());

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
