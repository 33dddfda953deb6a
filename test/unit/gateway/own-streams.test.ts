import { afterEach, beforeEach, expect, test } from "vitest";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { SpillwayError } from "../../../src/errors.ts";
import type { GatewayOptions } from "../../../src/gateway/options.ts";
import { openStreams, type OwnStreams } from "../../../src/gateway/own-streams.ts";
import { changeTo } from "../../../src/gateway/reload.ts";
import type { Log, LogStore, Retention } from "../../../src/log/log.ts";
import { createMemoryStore } from "../../../src/log/memory/index.ts";
import { silentLogger } from "../../../src/util/logger.ts";
import { startNumberedUpstream, type NumberedUpstream } from "../../support/numbered-upstream.js";
import { eventually } from "../../support/reader.ts";

/** A store whose logs can be lost: open ones then refuse everything, and `open` returns new ones. */
interface LossyStore extends LogStore {
  lose(): Promise<void>;
  /** `open` waits for this before it returns a log. */
  gate: Promise<void>;
  /** How often a log was requested. */
  opens: number;
  /** The retention of the log. */
  retention: Retention | undefined;
}

function createLossyStore(): LossyStore {
  let current = createMemoryStore();
  let log: Log | undefined;
  const refuse = (): Promise<never> => Promise.reject(new SpillwayError("store-unavailable"));
  const store: LossyStore = {
    kind: "lossy",
    gate: Promise.resolve(),
    opens: 0,
    retention: undefined,
    async open(stream, options) {
      store.opens++;
      await store.gate;
      store.retention = options.retention;
      return (log = await current.open(stream, options));
    },
    close: () => current.close(),
    async lose() {
      Object.assign(log!, { append: refuse, read: refuse, find: refuse });
      await current.close();
      current = createMemoryStore();
    },
  };
  return store;
}

let store: LossyStore;
/** The sources before and after the reload. */
let upstreams: readonly [NumberedUpstream, NumberedUpstream];
let before: GatewayOptions;
let after: GatewayOptions;
let own: OwnStreams;

const optionsOf = ({ url }: NumberedUpstream, heartbeat: string, events: number): GatewayOptions =>
  resolveConfig({ store: "memory:", streams: { s: { upstream: { url }, heartbeat, retention: { events } } } });

beforeEach(async () => {
  store = createLossyStore();
  upstreams = [await startNumberedUpstream({ retry: 10 }), await startNumberedUpstream({ retry: 10 })];
  before = optionsOf(upstreams[0], "15s", 10);
  after = optionsOf(upstreams[1], "20s", 20);
  own = await openStreams(before, {
    store,
    logger: silentLogger,
    lease: 10_000,
    count: () => 1,
    limits: () => before.limits,
  });
  own.start();
  await eventually(() => upstreams[0].state().open === 1, "the upstream");
});

afterEach(async () => {
  await own.stop();
  await eventually(() => upstreams.every((upstream) => upstream.state().open === 0), "no upstream after the stop");
  await store.close();
  await Promise.all(upstreams.map((upstream) => upstream.close()));
});

/** Delays opening logs from now on; returns the function that releases them. */
function closeGate(): () => void {
  let open: () => void = () => {};
  store.gate = new Promise((resolve) => (open = resolve));
  return open;
}

const reload = (next: GatewayOptions): Promise<void> => changeTo(before, next, { ...own, apply: () => {} });

/** Checks that the stream is served from the current log, and filled only by the later upstream. */
async function expectReloadedOverNewLog(): Promise<void> {
  const { epoch } = await store.open("s", { retention: after.streams["s"]!.retention });
  expect(own.streams.get("s")!.log.epoch).toBe(epoch);
  expect(own.sources.get("s")!.log.epoch).toBe(epoch);
  await eventually(() => upstreams[0].state().open === 0 && upstreams[1].state().open === 1, "the later upstream");
  upstreams[1].control({ emit: 2 });
  await eventually(() => own.streams.get("s")!.log.state().head === 2, "the events in the new log");
}

test("a log that is lost while a reload is prepared is replaced with the options of the reload", async () => {
  const prepared = await own.prepare("s", { before: before.streams["s"], after: after.streams["s"]! }, after);
  await store.lose();
  const renewed = own.renew("s");
  // As far as it gets without help.
  await Promise.race([renewed, new Promise((resolve) => setTimeout(resolve, 50))]);
  await prepared.commit();
  await renewed;
  await expectReloadedOverNewLog();
});

test("a reload while the log is replaced is applied afterwards", async () => {
  await store.lose();
  const openGate = closeGate();
  const { opens } = store;
  const renewed = own.renew("s");
  await eventually(() => store.opens > opens, "the renewal");
  const reloaded = reload(after);
  openGate();
  await Promise.all([renewed, reloaded]);
  await expectReloadedOverNewLog();
});

test("a stream that is removed while its log is replaced stays removed", async () => {
  await store.lose();
  const openGate = closeGate();
  const { opens } = store;
  const renewed = own.renew("s");
  await eventually(() => store.opens > opens, "the renewal");
  const reloaded = reload({ ...after, streams: {} });
  openGate();
  await Promise.all([renewed, reloaded]);
  expect([...own.streams.keys(), ...own.sources.keys()]).toEqual([]);
  await eventually(() => upstreams[0].state().open === 0, "no upstream");
});

test("a stream whose new log cannot be opened cannot be changed, but can be removed", async () => {
  await store.lose();
  store.gate = Promise.reject(new SpillwayError("store-unavailable"));
  const renewed = own.renew("s");
  await expect(reload(after)).rejects.toMatchObject({ code: "store-unavailable" });
  await reload({ ...after, streams: {} });
  await renewed;
  expect([...own.streams.keys(), ...own.sources.keys()]).toEqual([]);
});

/** Checks that the stream is served from the current log, with the options from before the reload. */
async function expectOnlyNewLog(): Promise<void> {
  const { retention } = before.streams["s"]!;
  expect(store.retention).toEqual(retention);
  expect(own.streams.get("s")!.log.epoch).toBe((await store.open("s", { retention })).epoch);
  upstreams[0].control({ emit: 1 });
  await eventually(() => own.streams.get("s")!.log.state().head > 0, "the event in the new log");
  expect(upstreams[1].state().connections).toEqual([]);
}

test("a log that is lost during a refused reload is replaced", async () => {
  const prepared = await own.prepare("s", { before: before.streams["s"], after: after.streams["s"]! }, after);
  await store.lose();
  const renewed = own.renew("s");
  await prepared.undo();
  await renewed;
  await expectOnlyNewLog();
});

test("a reload that finds a lost log before the loss is reported applies to the log that replaces it", async () => {
  await store.lose();
  await reload(after);
  await own.renew("s");
  await expectReloadedOverNewLog();
});
