import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { diagnosticsHost } from "../../../src/config/diagnostics.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import type { Gateway } from "../../../src/gateway/gateway.ts";
import { startGateway } from "../../../src/gateway/start.ts";
import { createMemoryStore } from "../../../src/log/memory/index.ts";
import { createSqliteStore } from "../../../src/log/sqlite/index.ts";
import { silentLogger } from "../../../src/util/logger.ts";
import { holdReads, type HeldStore } from "../../support/held-store.ts";
import { eventually, read } from "../../support/reader.ts";

const openSharedStore = async () => createMemoryStore();

/** Events in the log, none of which is in a channel. */
const held = 20_000;
const callers = 40;

const json = { accept: "application/json" };
const stream = { accept: "text/event-stream" };

test("a long poll reads at most a hundred pages, and its response says how far it got", async () => {
  const { store } = holdReads(createMemoryStore(), 10);
  const options = resolveConfig({ streams: { s: {} }, access: { anonymous: ["subscribe"] } });
  const gateway = await startGateway(options, { store, openSharedStore, logger: silentLogger, ...diagnosticsHost });
  const ids = await gateway.publish(
    "s",
    Array.from({ length: 2_000 }, (_, n) => ({ data: "x", channel: n === 1_500 ? "rare" : "other" })),
  );
  const poll = async (after: string): Promise<object> => {
    const request = new Request(`http://x/streams/s?wait=30&channels=rare&after=${after}`, { headers: json });
    return (await (await gateway.fetch(request)).json()) as object;
  };
  expect(await poll("earliest")).toMatchObject({ events: [], next: ids[999], gap: null });
  expect(await poll(ids[999]!)).toMatchObject({ events: [{ id: ids[1_500] }], gap: null });
  await gateway.close();
});

describe.each(["memory", "sqlite"])("over %s", (kind) => {
  let folder: string;
  let reads: HeldStore;
  let gateway: Gateway;
  let url: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "spillway-"));
    reads = holdReads(
      kind === "memory" ? createMemoryStore() : await createSqliteStore({ path: join(folder, "log.db") }),
    );
    const options = resolveConfig({
      listen: "127.0.0.1:0",
      // A heartbeat shows that a subscriber has left while it waits for its replay.
      streams: { s: { heartbeat: "100ms" } },
      access: { anonymous: ["subscribe", "publish", "admin"] },
      limits: { searches: 8, replayWait: "30s" },
    });
    gateway = await startGateway(options, {
      store: reads.store,
      openSharedStore,
      logger: silentLogger,
      ...diagnosticsHost,
    });
    url = `http://127.0.0.1:${(await gateway.listen()).port}/streams/s`;
    const events = Array.from({ length: 1_000 }, (_, n) => ({ data: String(n) }));
    for (let sum = 0; sum < held; sum += events.length) await gateway.publish("s", events);
  });

  afterEach(async () => {
    reads.release();
    await gateway.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Starts requests that match nothing, each with a different filter, so that they share no reads. */
  function begin(
    query: string,
    headers: Record<string, string>,
    at = url,
  ): { answers: Promise<Response>[]; abandon(): void } {
    const gone = new AbortController();
    const answers = Array.from({ length: callers }, (_, n) =>
      fetch(`${at}?${query}&channels=none${n}*`, { headers, signal: gone.signal }),
    );
    // Most end when they are aborted.
    for (const answer of answers) answer.catch(() => {});
    return { answers, abandon: () => gone.abort() };
  }

  /** An event reaches a client that came while others search. */
  async function expectDelivery(): Promise<void> {
    const reading = read(await fetch(url, { headers: stream }));
    await reading.until(({ events }) => events.length > 0);
    await gateway.publish("s", { data: "meanwhile" });
    await reading.until((now) => now.data().includes("meanwhile"));
    await reading.cancel();
  }

  test("the last events without a filter, and all retained events, are found without a search", async () => {
    for (const query of ["last=999999999", "last=3", "last=3&channels=a*"]) {
      const response = await fetch(`${url}?${query}`, { method: "HEAD", headers: stream });
      expect([response.status, response.headers.get("spillway-resume")]).toEqual([200, "resumed"]);
    }
    for (const query of ["last=999999999", "last=3"]) {
      const reading = read(await fetch(`${url}?${query}`, { headers: stream }));
      await reading.until((now) => now.data().length === (query === "last=3" ? 3 : held));
      await reading.cancel();
    }
    expect(reads.begun).toBe(0);
    reads.hold();
    // The search would be held; the replay is, behind the answer.
    const response = await fetch(`${url}?last=999999999&channels=a*`, { headers: stream });
    expect(response.headers.get("spillway-resume")).toBe("resumed");
    await response.body!.cancel();
  });

  test("forty searches from one address use half of the slots, and all end when they are aborted", async () => {
    reads.hold();
    const { answers, abandon } = begin("last=5", stream);
    const refused: Response[] = [];
    for (const answer of answers)
      void answer.then(
        (response) => refused.push(response),
        () => {},
      );
    await eventually(() => reads.underWay === 4 && refused.length === callers - 8);
    for (const response of refused) {
      expect([response.status, response.headers.has("retry-after")]).toEqual([503, true]);
      expect(await response.json()).toMatchObject({ code: "replay-busy" });
    }
    await expectDelivery();
    expect(reads.begun).toBe(4);
    abandon();
    await eventually(() => reads.underWay === 0);
    reads.release();
    // There is room again.
    const response = await fetch(`${url}?last=5&channels=other*`, { headers: stream });
    expect(response.status).toBe(200);
    await response.body!.cancel();
  });

  test("once forty long polls that match nothing are aborted, no page is read", async () => {
    reads.hold();
    let open = 0;
    const server = createServer(gateway.node()).on("connection", (socket) => {
      open++;
      socket.on("close", () => open--);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const own = `http://127.0.0.1:${(server.address() as AddressInfo).port}/streams/s`;
    const { abandon } = begin("after=earliest&wait=30", json, own);
    await eventually(() => reads.begun === callers);
    await expectDelivery();
    abandon();
    await eventually(() => open === 0);
    server.close();
    reads.release();
    await eventually(() => reads.underWay === 0);
    const page = (await (await fetch(`${url}?after=earliest&channels=other*`, { headers: json })).json()) as object;
    expect(page).toMatchObject({ events: [] });
    // The first page of each was under way; whoever comes later needs a few of its own.
    const itsOwn = Math.ceil(held / 1_000) + 1;
    expect(reads.begun).toBeLessThanOrEqual(callers + itsOwn);
  });

  test("once forty subscribers that match nothing are aborted, no page is read", async () => {
    reads.hold();
    const { answers, abandon } = begin("after=earliest", stream);
    for (const answer of answers) expect((await answer).status).toBe(200);
    await eventually(() => reads.underWay === 4);
    await expectDelivery();
    abandon();
    await eventually(() => subscribers() === 0);
    reads.release();
    await eventually(() => reads.underWay === 0);
    const reading = read(await fetch(`${url}?after=earliest`, { headers: stream }));
    await reading.until((now) => now.data().length > held);
    await reading.cancel();
    expect(reads.begun).toBe(4);
  });

  test("a held long poll reads nothing for events that its filter does not match", async () => {
    const answer = fetch(`${url}?wait=30&channels=wanted`, { headers: json });
    await eventually(() => reads.begun > 0 && reads.underWay === 0);
    const before = reads.begun;
    for (let n = 0; n < 20; n++) await gateway.publish("s", { data: "x", channel: "other" });
    await gateway.publish("s", { data: "y", channel: "wanted" });
    const page = (await (await answer).json()) as { events: { data: string }[] };
    expect(page.events.map(({ data }) => data)).toEqual(["y"]);
    expect(reads.begun - before).toBe(1);
  });

  function subscribers(): number {
    return gateway.status().streams["s"]!.subscribers;
  }
});
