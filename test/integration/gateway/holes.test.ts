import { afterEach, expect, test } from "vitest";
import { diagnosticsHost } from "../../../src/config/diagnostics.ts";
import { createGateway, SpillwayError, type Gateway } from "../../../src/index.ts";
import { startGateway } from "../../../src/gateway/start.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { createIngest } from "../../../src/gateway/ingest.ts";
import type { Log, LogStore } from "../../../src/log/log.ts";
import { createMemoryStore } from "../../../src/log/memory/index.ts";
import { silentLogger } from "../../../src/util/logger.ts";
import { startNumberedUpstream } from "../../support/numbered-upstream.js";
import { eventually } from "../../support/reader.ts";

const openSharedStore = async () => createMemoryStore();

let gateway: Gateway | undefined;

afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});

const poll = (query: string): Request =>
  new Request(`http://x/streams/s?${query}`, { headers: { accept: "application/json" } });

test("a held long poll gets a gap, even if no event that matches its filter is left", async () => {
  gateway = await createGateway({ store: "memory:", streams: { s: { retention: { events: 2 } } } });
  const answer = gateway.fetch(poll("channels=a&wait=5&after=earliest"));
  await new Promise(setImmediate);
  await gateway.publish("s", [{ data: "1", channel: "a" }, ..."234".split("").map((data) => ({ data, channel: "b" }))]);
  const { gap } = (await (await answer).json()) as { gap: object | null };
  expect(gap).toMatchObject({ reason: "trimmed", lost: 2 });
});

/** A store whose calls fail while `fails` holds. */
function failingStore(method: "append" | "read", fails: () => boolean): LogStore {
  const store = createMemoryStore();
  return {
    kind: store.kind,
    close: () => store.close(),
    async open(stream, options) {
      const log = await store.open(stream, options);
      return new Proxy(log, {
        get(target, property: keyof Log) {
          const value: unknown = target[property];
          if (typeof value !== "function") return value;
          if (property === method && fails()) return () => Promise.reject(new SpillwayError("store-unavailable"));
          return (value as (...args: unknown[]) => unknown).bind(target);
        },
      });
    },
  };
}

test("a failed long poll does not keep the upstream connected", async () => {
  const source = await startNumberedUpstream({ retry: 10 });
  let failing = false;
  const store = failingStore("read", () => failing);
  const upstream = { url: source.url, connect: "on-demand" as const, linger: "10ms" };
  const options = resolveConfig({
    store: "memory:",
    access: { anonymous: ["subscribe"] },
    streams: { s: { upstream } },
  });
  gateway = await startGateway(options, { store, openSharedStore, logger: silentLogger, ...diagnosticsHost });
  const state = (): string => gateway!.status().streams["s"]!.upstream!.state;
  const answer = gateway.fetch(poll("wait=20&channels=none"));
  await eventually(() => state() === "open");
  failing = true;
  await gateway.publish("s", { data: "x", channel: "none" });
  expect((await answer).status).toBe(503);
  failing = false;
  await eventually(() => state() === "idle", "the end of the upstream");
  await source.close();
});

test("a gap that could not be stored before the upstream was stopped does not count as delivered", async () => {
  const store = failingStore("append", () => true);
  const log = await store.open("s", { retention: { age: undefined, events: undefined, bytes: undefined } });
  const ingest = createIngest(
    log,
    (events, options) => log.append(events, options),
    undefined,
    () => undefined,
  );
  const stop = new AbortController();
  const delivered = ingest.deliver({ events: [], cursor: undefined, gap: true }, stop.signal);
  await new Promise(setImmediate);
  stop.abort();
  await expect(delivered).rejects.toThrow();
});
