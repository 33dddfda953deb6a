import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { createHub } from "../../../src/hub/create-hub.ts";
import type { Page } from "../../../src/hub/page.ts";
import type { Sink } from "../../../src/hub/sink.ts";
import type { IdMode } from "../../../src/hub/format.ts";
import type { Log, LogFilter } from "../../../src/log/log.ts";
import { createMemoryStore } from "../../../src/log/memory/index.ts";
import { silentLogger } from "../../../src/util/logger.ts";
import { eventually } from "../../support/reader.ts";

const retention = { age: undefined, events: undefined, bytes: undefined };
const options = {
  ids: "gateway",
  heartbeat: { interval: 10, event: undefined },
  coalesce: 0,
  outbox: 1e6,
  warmUp: 256,
  stall: 60_000,
  logger: silentLogger,
} as const;

const openLog = (): Promise<Log> => createMemoryStore().open("s", { retention });

function overriding(log: Log, changes: Partial<Log>): Log {
  return new Proxy(log, {
    get(target, property: keyof Log) {
      const value: unknown = changes[property] ?? target[property];
      return typeof value === "function" ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}

/** The log, and the positions after which its pages were requested. */
function counting(log: Log): { readonly counted: Log; readonly asked: number[] } {
  const asked: number[] = [];
  const read: Log["read"] = (after, how) => {
    asked.push(after);
    return log.read(after, how);
  };
  return { counted: overriding(log, { read }), asked };
}

function recorder(): { readonly sink: { -readonly [Key in keyof Sink]: Sink[Key] }; text: () => string } {
  let text = "";
  const write = ({ payload }: Page): void => void (text += Buffer.from(payload).toString());
  return { sink: { pending: 0, sent: 0, full: false, write, end() {}, destroy() {} }, text: () => text };
}

const event = (data: string, channel?: string) => ({ event: "message", data, channel, upstreamId: undefined });

const atOnce = { reason: "drain", over: 0, retry: [0, 0], grace: 0 } as const;

test("a page of non-ASCII text is read from the log once for all who replay it", async () => {
  const log = await openLog();
  await log.append(Array.from({ length: 3_000 }, () => event("漢".repeat(100))));
  const { counted, asked } = counting(log);
  const hub = await createHub(counted, options);
  asked.length = 0;
  for (let n = 0; n < 3; n++) {
    const { sink } = recorder();
    hub.subscribe({ position: 0, format: "sse", preamble: ":\n\n", sink });
    await eventually(() => hub.backlog().lag === 0);
  }
  await hub.close(atOnce);
  expect(asked.length).toBe(new Set(asked).size);
});

test("subscribers that start at different positions soon share the pages that are read", async () => {
  const log = await openLog();
  await log.append(Array.from({ length: 3_000 }, () => event("x".repeat(300))));
  const { counted, asked } = counting(log);
  const hub = await createHub(counted, options);
  asked.length = 0;
  for (const position of [0, 100, 200, 300])
    hub.subscribe({ position, format: "sse", preamble: ":\n\n", sink: recorder().sink });
  await eventually(() => hub.backlog().lag === 0);
  await hub.close(atOnce);
  const shared = asked.filter((after) => after >= 512);
  expect(shared.length).toBeGreaterThan(5);
  expect(shared.length).toBe(new Set(shared).size);
});

test("many subscribers that catch up at once do not block the event loop", async () => {
  const log = await openLog();
  const hub = await createHub(log, options);
  await log.append(Array.from({ length: 1_000 }, () => event("x".repeat(1_000))));
  let written = 0;
  const sink: Sink = { ...recorder().sink, write: ({ framed }) => void (written += framed.length) };
  for (let n = 0; n < 20; n++) hub.subscribe({ position: 0, format: "sse", preamble: ":\n\n", sink });
  const turns: number[] = [];
  while (hub.backlog().lag > 0) {
    const before = written;
    await nextTurn();
    turns.push(written - before);
  }
  await hub.close(atOnce);
  expect(written).toBeGreaterThan(20e6);
  // Half a MiB, and the page that exceeds it.
  expect(Math.max(...turns)).toBeLessThan(600 * 1024);
});

test("a checkpoint is never before an event that was sent, even if the hub learns of events late", async () => {
  const log = await openLog();
  const late = overriding(log, { watch: () => () => {} });
  await log.append(Array.from({ length: 300 }, (_, n) => event(String(n + 1), "a")));
  const hub = await createHub(late, options);
  // These the hub has not heard of; who replays from before the ring meets them in the log.
  await log.append([event("301", "a"), event("302", "a")]);
  const { sink, text } = recorder();
  hub.subscribe({ position: 0, filter: { channels: ["a"] }, format: "sse", preamble: ":\n\n", sink });
  await eventually(() => text().includes("data: 302"));
  const beats = (): number => text().split("data: 302")[1]!.split(":\n").length;
  await eventually(() => beats() > 2, "a heartbeat");
  await hub.close(atOnce);
  const ids = [...text().matchAll(/^id: \w+\.(\d+)$/gm)].map(([, seq]) => Number(seq));
  expect(ids).toEqual(ids.toSorted((a, b) => a - b));
});

test("a checkpoint ends the replay of those whose ids cannot tell it, once", async () => {
  const log = await openLog();
  await log.append([{ ...event("1", "a"), upstreamId: "x" }, event("2", "b")]);
  const slow = { ...options, heartbeat: { interval: 3_600_000, event: undefined }, outbox: 10 } as const;
  const checkpoints = async (ids: IdMode, position: number, filter?: LogFilter): Promise<Array<string | undefined>> => {
    const hub = await createHub(log, { ...slow, ids });
    const { sink, text } = recorder();
    const subscription = hub.subscribe({ position, filter, format: "sse", preamble: ":\n\n", sink });
    await eventually(() => hub.backlog().lag === 0);
    // Falls behind, and reaches the head again.
    sink.full = true;
    await log.append([event("live", "a")]);
    await eventually(() => hub.head === log.state().head && hub.backlog().lag > 0);
    sink.full = false;
    subscription.onDrain();
    await eventually(() => text().includes("live") && hub.backlog().lag === 0);
    await hub.close(atOnce);
    return text()
      .split("\n\n")
      .filter((block) => block.includes("spillway.heartbeat"))
      .map((block) => /^id: \w+\.(\d+)$/m.exec(block)?.[1]);
  };
  expect(await checkpoints("gateway", 0)).toEqual([]);
  expect(await checkpoints("upstream", 0)).toEqual([undefined]);
  expect(await checkpoints("gateway", 0, { channels: ["a"] })).toEqual(["4"]);
  expect(await checkpoints("upstream", 0, { channels: ["a"] })).toEqual(["5"]);
  expect(await checkpoints("gateway", 6, { channels: ["a"] })).toEqual([]);
});
