import { expect, onTestFinished, test } from "vitest";
import { openMysqlPlace, queryMysql, startMysql, trxPollInterval } from "../../support/mysql.ts";
import { throughPort } from "../../support/ports.ts";
import { startProgram } from "../../support/process.ts";
import { eventually } from "../../support/reader.ts";
import { dataOf, eventsOf, openLog, proxyForTest } from "../../support/store-nodes.ts";
import { openStore } from "./stores.ts";

test("a node that is stopped during an append does not block others, and its events are stored once", async () => {
  const server = await startMysql();
  onTestFinished(() => server.remove());
  const place = openMysqlPlace(server.url);
  const proxy = await proxyForTest(server);
  const log = await openLog(await openStore(place.url, { node: "b" }));
  const node = startProgram("test/integration/mysql/append-two.js", [throughPort(place.url, proxy.port)]);
  onTestFinished(async () => void (await node.kill("SIGKILL")));
  await node.printed("appended 1");
  proxy.delay(500);
  // It holds the stream's lock, and the response is in transit.
  await eventually(
    async () => {
      const rows = await queryMysql(
        server.url,
        "SELECT 1 FROM information_schema.innodb_trx WHERE trx_query IS NULL AND trx_rows_locked > 0",
      );
      return rows.length === 1;
    },
    "a transaction that holds the lock",
    trxPollInterval,
  );
  node.process.kill("SIGSTOP");
  expect(await log.append(eventsOf("3"))).toEqual({ first: 2, last: 2, replayed: false });
  proxy.delay(0);
  node.process.kill("SIGCONT");
  await node.printed("appended 2");
  expect(await dataOf(log)).toEqual(["1", "3", "2"]);
});
