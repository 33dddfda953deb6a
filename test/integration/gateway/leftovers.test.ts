import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Server } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test, vi } from "vitest";
import { createGateway } from "spillway";
import { Tail } from "../../../src/hub/tail.ts";
import type { Log, LogHint, LogStore } from "../../../src/log/log.ts";
import { createMemoryStore } from "../../../src/log/memory/index.ts";
import { startHealthChecks } from "../../../src/proxy/health.ts";
import { createTargetHealth } from "../../../src/proxy/target-health.ts";
import type { Target } from "../../../src/proxy/target.ts";
import { silentLogger } from "../../../src/util/logger.ts";
import { eventually } from "../../support/reader.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

async function untilReleased(references: ReadonlyArray<WeakRef<object>>): Promise<void> {
  await eventually(() => {
    collect();
    return references.every((reference) => reference.deref() === undefined);
  }, "the release");
}

/** Opens a gateway, sends a request and closes it; returns a weak reference to its server. */
async function openAndClose(): Promise<WeakRef<Server>> {
  let server: WeakRef<Server> | undefined;
  const onRequest = (message: unknown): void => void (server = new WeakRef((message as { server: Server }).server));
  subscribe("http.server.request.start", onRequest);
  const gateway = await createGateway({ listen: "127.0.0.1:0", store: "memory:", streams: { s: {} } });
  const { port } = await gateway.listen();
  await (await fetch(`http://127.0.0.1:${port}/healthz`)).text();
  unsubscribe("http.server.request.start", onRequest);
  await gateway.close();
  return server!;
}

test("a closed gateway's server is released from memory", async () => {
  const servers = [await openAndClose(), await openAndClose(), await openAndClose()];
  await untilReleased(servers.slice(0, -1));
});

/** Opens a gateway, asks for its history and closes it; returns a weak reference to the log of its stream. */
async function closeWithHistory(): Promise<WeakRef<Log>> {
  let log: WeakRef<Log>;
  const memory = createMemoryStore();
  const store: LogStore = {
    ...memory,
    async open(name, options) {
      const opened = await memory.open(name, options);
      log = new WeakRef(opened);
      return opened;
    },
  };
  const access = { anonymous: ["admin"] } as const;
  const gateway = await createGateway({ store: () => store, streams: { s: {} }, access });
  expect((await gateway.fetch(new Request("http://localhost/admin/history"))).status).toBe(200);
  await gateway.close();
  return log!;
}

test("the logs of a closed gateway are released from memory, also if its history was asked for", async () => {
  const logs = [await closeWithHistory(), await closeWithHistory(), await closeWithHistory()];
  await untilReleased(logs.slice(0, -1));
});

test("health checks leave nothing in memory", async () => {
  const heap = async (): Promise<number> => {
    // What was collected is only released in later turns.
    for (let i = 0; i < 10; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return process.memoryUsage().heapUsed;
  };
  let probes = 0;
  // As that of a target, it listens to the end of the check.
  const probe: Target["probe"] = async (_path, signal) => {
    signal.addEventListener("abort", () => {});
    probes++;
    return 200;
  };
  const target = { name: "a", health: createTargetHealth(), probe };
  const options = { path: "/", every: 1, timeout: 1_000, up: 1, down: 1 };
  const checks = startHealthChecks(target, options, { logger: silentLogger });
  await eventually(() => probes > 100, "the first checks");
  const [before, begun] = [await heap(), probes];
  await eventually(() => probes > begun + 2_000, "many checks");
  checks.stop();
  expect((await heap()) - before).toBeLessThan(300 * (probes - begun));
});

test("reading a log that fails is retried at a fixed rate, however many hints arrive", async () => {
  vi.useFakeTimers();
  let reads = 0;
  let hint: (hint: LogHint) => void = () => {};
  const log = {
    state: () => ({ head: 0 }),
    watch: (listener: typeof hint) => ((hint = listener), () => {}),
    read: () => (reads++, Promise.reject(new Error("disk"))),
  } as unknown as Log;
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const tail = new Tail(log, logger, { head: 0, take() {}, skip() {} });
  await tail.start();
  for (let head = 1; head <= 50; head++) {
    hint({ head, earliest: 1 });
    await vi.advanceTimersByTimeAsync(0);
  }
  reads = 0;
  await vi.advanceTimersByTimeAsync(1000);
  expect(reads).toBe(1);
  tail.stop();
  vi.useRealTimers();
});
