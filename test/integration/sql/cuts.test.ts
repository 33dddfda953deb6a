import { describe, expect, onTestFinished, test } from "vitest";
import { expectOnceUnderCuts } from "../../support/cut-writers.ts";
import { throughPort } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";
import { type SqlEngine, type SqlPlace, sqlEngines } from "../../support/sql-engines.ts";
import { dataOf, eventsOf, follow, openLog, proxyForTest, untilDone } from "../../support/store-nodes.ts";
import type { TcpProxy } from "../../support/tcp-proxy.ts";

const unknown = { code: "append-unknown" };
const unavailable = { code: "store-unavailable" };

/** A place on the shared server, removed with the test, and a proxy in front of it. */
async function openProxied({ openPlace }: SqlEngine): Promise<{ place: SqlPlace; proxy: TcpProxy; url: string }> {
  const place = openPlace();
  onTestFinished(() => place.remove());
  const proxy = await proxyForTest({ port: Number(new URL(place.url).port) });
  return { place, proxy, url: throughPort(place.url, proxy.port) };
}

describe.each(sqlEngines)("$name", (engine) => {
  const { openStore, blockAppends } = engine;

  test("nodes that append at once over breaking connections append each event once, and every node gets all events", async () => {
    const { place, proxy } = await openProxied(engine);
    const port = Number(new URL(place.url).port);
    const proxies = [proxy, await proxyForTest({ port }), await proxyForTest({ port })];
    const urls = proxies.map((each) => throughPort(place.url, each.port));
    const logs = await Promise.all(urls.map(async (url) => openLog(await openStore(url))));
    await expectOnceUnderCuts(logs, proxies);
  });

  test("an append whose connection is lost is appended once", async () => {
    const { place, proxy, url } = await openProxied(engine);
    const log = await openLog(await openStore(url));
    await log.append(eventsOf("1"));
    const block = await blockAppends(place);
    const append = log.append(eventsOf("2", "3"), { upstreamCursor: "u3" });
    await block.untilBlocked(1);
    // The server has not noticed: the append continues once it is unblocked, and the node waits for its outcome.
    proxy.reset();
    await block.untilBlocked(2);
    await block.release();
    expect(await append).toEqual({ first: 2, last: 3, replayed: false });
    expect(await dataOf(log)).toEqual(["1", "2", "3"]);
    expect(log.state().upstreamCursor).toBe("u3");
    expect(await log.append(eventsOf("4"))).toEqual({ first: 4, last: 4, replayed: false });
  });

  test("an append with an unknown outcome that is found in the log later gets its numbers when it is repeated with its retry token", async () => {
    const { place, proxy, url } = await openProxied(engine);
    const log = await openLog(await openStore(url));
    const block = await blockAppends(place);
    const batch = eventsOf("1", "2");
    const options = { upstreamCursor: "u2", retryToken: {} };
    const refused = log.append(batch, options).catch((error: unknown) => error);
    await block.untilBlocked(1);
    proxy.refuse(true);
    proxy.reset();
    await block.release();
    await eventually(async () => {
      const [row] = await place.query(`SELECT head FROM ${place.table("streams")}`);
      return Number(row?.["head"]) === 2;
    }, "the events in the log");
    expect(await refused).toMatchObject(unknown);
    await expect(log.append(batch, options)).rejects.toMatchObject(unknown);
    await expect(log.append(batch)).rejects.toMatchObject(unavailable);
    proxy.refuse(false);
    const again = untilDone(() => log.append(batch, options));
    const other = untilDone(() => log.append(eventsOf("3")));
    expect(await again).toEqual({ first: 1, last: 2, replayed: false });
    expect(await other).toEqual({ first: 3, last: 3, replayed: false });
    // The token counts, not the events.
    expect(await log.append(batch, { upstreamCursor: "u2" })).toEqual({ first: 4, last: 5, replayed: false });
    expect(await dataOf(log)).toEqual(["1", "2", "3", "1", "2"]);
  });

  test("an append with an unknown outcome that was called off later is appended when it is repeated with its retry token", async () => {
    const { place, proxy, url } = await openProxied(engine);
    const log = await openLog(await openStore(url));
    const block = await blockAppends(place);
    const batch = eventsOf("1", "2");
    const retryToken = {};
    const refused = log.append(batch, { retryToken }).catch((error: unknown) => error);
    await block.untilBlocked(1);
    proxy.refuse(true);
    proxy.reset();
    await block.killBlocked();
    await block.release();
    expect(await refused).toMatchObject(unknown);
    proxy.refuse(false);
    expect(await untilDone(() => log.append(eventsOf("other")))).toEqual({ first: 1, last: 1, replayed: false });
    expect(await log.append(batch, { retryToken })).toEqual({ first: 2, last: 3, replayed: false });
    expect(await dataOf(log)).toEqual(["other", "1", "2"]);
  });

  test("while the network hangs calls fail with store-unavailable, a store can be closed, and another one continues afterwards", async () => {
    const { place, proxy, url } = await openProxied(engine);
    const [left, store] = [await openStore(url, { node: "c" }), await openStore(url)];
    const [log, there] = [await openLog(store), await openLog(await openStore(place.url, { node: "b" }))];
    await openLog(left);
    const heard = follow(log);
    await log.append(eventsOf("1"));
    proxy.stall(true);
    const batch = eventsOf("2");
    const retryToken = {};
    const calls = await Promise.allSettled([
      log.append(batch, { retryToken }),
      log.read(0, { limit: 1 }),
      store.coordination!.acquire("s", 1_000),
    ]);
    for (const call of calls) expect(call).toMatchObject({ reason: unavailable });
    await left.close();
    await there.append(eventsOf("there"));
    proxy.stall(false);
    await untilDone(() => log.append(batch, { retryToken }));
    const stored = await dataOf(there);
    expect(stored.toSorted()).toEqual(["1", "2", "there"]);
    await eventually(() => heard.length >= 3);
    expect(heard.map(({ data }) => data)).toEqual(stored);
  });

  test("a store can be closed while the network is blocked", async () => {
    const { place, proxy, url } = await openProxied(engine);
    const store = await openStore(url);
    const log = await openLog(store);
    await log.append(eventsOf("1"));
    const block = await blockAppends(place);
    const refused = log.append(eventsOf("2")).catch((error: unknown) => error);
    await block.untilBlocked(1);
    proxy.stall(true);
    await store.close();
    expect(await refused).toMatchObject(unknown);
  });
});
