import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Server } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test, vi } from "vitest";
import { createGateway } from "spillway";
import { Tail } from "../../../src/hub/tail.ts";
import type { Log, LogHint } from "../../../src/log/log.ts";
import { eventually } from "../../support/reader.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

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
  await eventually(() => {
    collect();
    return servers.slice(0, -1).every((server) => server.deref() === undefined);
  }, "the release");
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
