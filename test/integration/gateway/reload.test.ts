import { afterEach, expect, test } from "vitest";
import { createGateway, SpillwayError, type Gateway, type GatewayConfig } from "spillway";
import { diagnosticsHost } from "../../../src/config/diagnostics.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { startGateway } from "../../../src/gateway/start.ts";
import type { LogOptions, LogStore } from "../../../src/log/log.ts";
import { createMemoryStore } from "../../../src/log/memory/index.ts";
import { silentLogger } from "../../../src/util/logger.ts";
import { startNumberedUpstream, type NumberedUpstream } from "../../support/numbered-upstream.js";
import { eventually, read, type Reading } from "../../support/reader.ts";

const openSharedStore = async () => createMemoryStore();

const everything = ["subscribe", "publish", "admin"] as const;
const base: GatewayConfig = { store: "memory:", access: { anonymous: everything }, streams: { s: {} } };

const cleanUps: Array<() => Promise<unknown> | void> = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

function closing(gateway: Gateway): Gateway {
  cleanUps.push(() => gateway.close());
  return gateway;
}

/** A gateway of `base` whose configuration is read from `written.config`. */
async function open(): Promise<{ readonly gateway: Gateway; readonly written: { config: GatewayConfig } }> {
  const written = { config: base };
  const gateway = await createGateway(base, { readConfig: () => written.config });
  return { gateway: closing(gateway), written };
}

const get = (gateway: Gateway, path: string, headers: Record<string, string> = {}): Promise<Response> =>
  gateway.fetch(new Request(`http://gateway.test${path}`, { headers }));

async function subscribe(gateway: Gateway, path: string, headers?: Record<string, string>): Promise<Reading> {
  return read(await get(gateway, path, headers)).until(({ events }) => events.length > 0);
}

async function source(): Promise<NumberedUpstream> {
  const upstream = await startNumberedUpstream();
  cleanUps.push(() => upstream.close());
  return upstream;
}

async function codeOf(attempt: Promise<unknown>): Promise<string | undefined> {
  return attempt.then(
    () => undefined,
    (error: unknown) => (error instanceof SpillwayError ? error.code : String(error)),
  );
}

test("reloads run one after the other, in the order of the calls", async () => {
  const reads: Array<(config: GatewayConfig) => void> = [];
  const readConfig = (): Promise<GatewayConfig> => new Promise((resolve) => reads.push(resolve));
  const gateway = closing(await createGateway(base, { readConfig }));
  const [first, second] = [gateway.reload(), gateway.reload()];
  await eventually(() => reads.length > 0);
  await new Promise(setImmediate);
  expect(reads).toHaveLength(1);
  reads[0]!({ ...base, streams: { s: {}, a: {} } });
  await first;
  expect((await get(gateway, "/streams/a", { accept: "application/json" })).status).toBe(200);
  await eventually(() => reads.length === 2);
  reads[1]!({ ...base, streams: { s: {}, b: {} } });
  await second;
  expect((await get(gateway, "/streams/a")).status).toBe(404);
  expect((await get(gateway, "/streams/b", { accept: "application/json" })).status).toBe(200);
});

test("a failed reload is followed by the next one", async () => {
  const { gateway, written } = await open();
  written.config = { ...base, drain: "never" };
  const failed = codeOf(gateway.reload());
  written.config = { ...base, streams: { s: {}, more: {} } };
  const next = gateway.reload();
  // What is read counts, not what was there at the call.
  await failed;
  await next;
  expect((await get(gateway, "/streams/more", { accept: "application/json" })).status).toBe(200);
});

test("a reload of a gateway without a configuration to read is answered with 404", async () => {
  const gateway = closing(await createGateway(base));
  expect(await codeOf(gateway.reload())).toBe("not-found");
  const response = await gateway.fetch(new Request("http://gateway.test/admin/reload", { method: "POST" }));
  expect(response.status).toBe(404);
});

test("a configuration that is missing or lacks access is reported as a configuration error", async () => {
  for (const code of ["config-not-found", "access-required"] as const) {
    const readConfig = (): never => {
      throw new SpillwayError(code, "there is none");
    };
    const gateway = closing(await createGateway(base, { readConfig }));
    const response = await gateway.fetch(new Request("http://gateway.test/admin/reload", { method: "POST" }));
    expect([response.status, await response.json()]).toEqual([
      422,
      expect.objectContaining({ code: "config-invalid", detail: "there is none" }),
    ]);
  }
});

/** A store that does not open the stream `bad`, and records requests. */
function failingStore(): { readonly store: LogStore; readonly opened: Array<[string, LogOptions]> } {
  const store = createMemoryStore();
  const opened: Array<[string, LogOptions]> = [];
  return {
    opened,
    store: {
      ...store,
      open(name, options) {
        opened.push([name, options]);
        return name === "bad" ? Promise.reject(new SpillwayError("store-full")) : store.open(name, options);
      },
    },
  };
}

test("a reload that fails halfway changes nothing, and the next one starts from the same state", async () => {
  const [old, other] = [await source(), await source()];
  const upstream = ({ url }: NumberedUpstream) => ({ url, backoff: { min: "10ms", max: "50ms" } }) as const;
  const first: GatewayConfig = { ...base, streams: { s: { upstream: upstream(old) }, t: {}, u: {} } };
  const { store, opened } = failingStore();
  let config = first;
  const readOptions = async () => resolveConfig(config);
  const gateway = closing(
    await startGateway(resolveConfig(first), {
      store,
      openSharedStore,
      logger: silentLogger,
      readOptions,
      ...diagnosticsHost,
    }),
  );
  const [s, t, u] = await Promise.all(["s", "t", "u"].map((name) => subscribe(gateway, `/streams/${name}`)));
  await eventually(() => old.state().open === 1, "the connection");
  const wanted: GatewayConfig = {
    ...base,
    access: { anonymous: ["subscribe"] },
    streams: {
      s: { upstream: upstream(other), retention: { events: 7 } },
      t: { heartbeat: "50ms" },
      more: {},
    },
  };
  config = { ...wanted, streams: { ...wanted.streams, bad: {} } };
  expect(await codeOf(gateway.reload())).toBe("store-full");
  // The bound that was asked for is taken back.
  expect(opened.findLast(([name]) => name === "s")![1].retention.events).toBeUndefined();
  for (const name of ["more", "bad"]) expect((await get(gateway, `/streams/${name}`)).status).toBe(404);
  expect((await get(gateway, "/status")).status).toBe(200);
  old.control({ emit: 1 });
  for (const name of ["t", "u"]) await gateway.publish(name, { data: "1" });
  for (const reading of [s!, t!, u!]) {
    await reading.until(({ data }) => data().length === 1);
    expect([reading.ended, reading.controls("spillway.bye")]).toEqual([false, []]);
  }
  expect([old.state().connections.length, other.state().connections.length]).toEqual([1, 0]);

  config = wanted;
  await gateway.reload();
  await Promise.all([t!, u!].map((reading) => reading.until(({ ended }) => ended)));
  await eventually(() => old.state().open === 0 && other.state().open === 1, "the other source");
  expect(s!.ended).toBe(false);
  expect((await get(gateway, "/streams/more", { accept: "application/json" })).status).toBe(200);
  expect((await get(gateway, "/streams/u")).status).toBe(404);
  expect((await get(gateway, "/status")).status).toBe(403);
  expect(other.state().maxOpen).toBe(1);
});

test("a new stream is never served under the previous access rules", async () => {
  const { gateway, written } = await open();
  written.config = {
    ...base,
    access: { anonymous: { can: ["subscribe"], streams: ["s"] } },
    streams: { s: {}, secret: {} },
  };
  const statuses = new Set<number>();
  let over = false;
  const reloading = gateway.reload().then(() => (over = true));
  for (let n = 0; n < 1000 && !over; n++) {
    statuses.add((await get(gateway, "/streams/secret", { accept: "application/json" })).status);
  }
  await reloading;
  statuses.add((await get(gateway, "/streams/secret")).status);
  expect(statuses).toContain(403);
  expect(statuses).not.toContain(200);
});

test("a changed reconnect delay or heartbeat form disconnects all clients, which get it when they reconnect", async () => {
  const { gateway, written } = await open();
  const reading = await subscribe(gateway, "/streams/s");
  written.config = { ...base, streams: { s: { heartbeat: { interval: "20ms", event: "beat" }, retry: "2s" } } };
  await gateway.reload();
  await reading.until(({ ended }) => ended);
  expect(reading.controls("spillway.bye")).toMatchObject([{ reason: "removed" }]);
  const again = await subscribe(gateway, "/streams/s");
  await again.until(({ events }) => events.some(({ event }) => event === "beat"));
  expect(again.retries).toEqual([2000]);
  written.config = { ...base, streams: { s: { heartbeat: { interval: "20ms", event: "beat" } } } };
  await gateway.reload();
  await again.until(({ ended }) => ended);
});

test("a stream that is replaced is always available: its clients find it when they reconnect at once", async () => {
  const { gateway, written } = await open();
  await gateway.publish("s", { data: "1" });
  const reading = await subscribe(gateway, "/streams/s?after=earliest");
  await reading.until(({ data }) => data().length === 1);
  const id = reading.events.at(-1)!.id!;
  written.config = { ...base, streams: { s: { heartbeat: "50ms" } } };
  const reloading = gateway.reload();
  await reading.until(({ events }) => events.some(({ event }) => event === "spillway.bye"));
  expect(reading.controls("spillway.bye")).toEqual([{ reason: "removed", retry: expect.any(Number) as number }]);
  const again = await get(gateway, "/streams/s", { "last-event-id": id });
  expect([again.status, again.headers.get("spillway-resume")]).toEqual([200, "resumed"]);
  const resumed = read(again);
  await gateway.publish("s", { data: "2" });
  await resumed.until(({ data }) => data().length === 1);
  expect(resumed.data()).toEqual(["2"]);
  await reloading;
});

test("a configuration that is read while the gateway closes is not applied, and none is read afterwards", async () => {
  const upstream = await source();
  let resolveRead: (config: GatewayConfig) => void = () => {};
  let reads = 0;
  const readConfig = (): Promise<GatewayConfig> => {
    reads++;
    return new Promise((resolve) => (resolveRead = resolve));
  };
  const gateway = await createGateway(base, { readConfig });
  const reloading = codeOf(gateway.reload());
  await eventually(() => reads === 1);
  // Does not wait for it either.
  await gateway.close();
  resolveRead({ ...base, streams: { s: {}, more: { upstream: { url: upstream.url } } } });
  expect(await reloading).toBe("shutting-down");
  expect(await codeOf(gateway.reload())).toBe("shutting-down");
  expect([reads, upstream.state().connections]).toEqual([1, []]);
});

test("a gateway that is closed during a reload leaves no upstream connected", async () => {
  const upstream = await source();
  for (let round = 0; round < 20; round++) {
    const config: GatewayConfig = { ...base, streams: { s: {}, more: { upstream: { url: upstream.url } } } };
    const gateway = await createGateway(base, { readConfig: () => config });
    const reloading = codeOf(gateway.reload());
    for (let turn = 0; turn < round; turn++) await Promise.resolve();
    await gateway.close();
    expect([undefined, "shutting-down"]).toContain(await reloading);
    expect(gateway.status()).toMatchObject({ ready: false });
  }
  await eventually(() => upstream.state().open === 0, "the end of all connections");
});
