import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLeadership, type Leadership } from "../../../src/gateway/leadership.ts";
import { silentLogger } from "../../../src/util/logger.ts";
import {
  createMemoryCoordination,
  type MemoryCoordination,
  type NodeCoordination,
} from "../../support/memory-coordination.ts";

const ttl = 3000;
/** In this time, a node without the lease checks for it at least once. */
const look = 500;

/** A node that runs something under the lease. */
interface Node {
  readonly leadership: Leadership;
  readonly coordination: NodeCoordination;
  readonly running: boolean;
  /** How often it was started. */
  readonly starts: number;
  /** The holder of the lease that it knew at its last start. */
  readonly startedUnder: string | undefined;
  /** How long it continues after it was asked to stop, in ms. */
  stopTime: number;
}

let place: MemoryCoordination;
let nodes: Node[];
/** The maximum that ran at once. */
let mostRunning: number;

beforeEach(() => {
  vi.useFakeTimers();
  place = createMemoryCoordination(() => performance.now());
  nodes = [];
  mostRunning = 0;
});

afterEach(() => vi.useRealTimers());

function addNode({ always = true, slow = false } = {}): Node {
  const coordination = Object.assign(place.join(`node-${nodes.length + 1}`), { slow });
  const node = { coordination, running: false, starts: 0, startedUnder: undefined as string | undefined, stopTime: 0 };
  const running = {
    start() {
      node.running = true;
      node.starts++;
      node.startedUnder = added.leadership.holder()?.node;
      mostRunning = Math.max(mostRunning, nodes.filter((other) => other.running).length);
    },
    async stop() {
      if (node.stopTime > 0) await new Promise((resolve) => setTimeout(resolve, node.stopTime));
      node.running = false;
    },
  };
  const options = { stream: "s", coordination, ttl, always, logger: silentLogger };
  const added = Object.assign(node, { leadership: createLeadership(running, options) });
  nodes.push(added);
  added.leadership.start();
  return added;
}

const pass = async (ms: number): Promise<void> => void (await vi.advanceTimersByTimeAsync(ms));

test("one node takes the lease and runs; the others do not, and know the holder", async () => {
  const first = addNode();
  await pass(look);
  const second = addNode();
  await pass(10 * ttl);
  expect([first.running, second.running]).toEqual([true, false]);
  expect(first.starts).toBe(1);
  expect(first.leadership.fence).toBe(1);
  expect(second.leadership.fence).toBeUndefined();
  for (const { leadership } of [first, second]) expect(leadership.holder()).toEqual({ node: "node-1", fence: 1 });
});

test("it stops when the renewal is refused, and another node runs under a later fence", async () => {
  const first = addNode();
  await pass(look);
  const second = addNode();
  await pass(look);
  place.revoke("s");
  await pass(ttl / 3 + look);
  expect([first.running, second.running]).toEqual([false, true]);
  expect(first.leadership.fence).toBeUndefined();
  expect(second.leadership.fence).toBe(2);
  expect(second.startedUnder).toBe("node-2");
});

test("it stops when the store refuses its fence", async () => {
  const first = addNode();
  await pass(look);
  place.revoke("s");
  await place.join("other").acquire("s", ttl);
  first.leadership.lose();
  await pass(0);
  expect(first.running).toBe(false);
  expect(first.leadership.fence).toBeUndefined();
});

test("cut off from the store, it stops before another node can start", async () => {
  const first = addNode();
  await pass(look);
  const second = addNode();
  await pass(look);
  first.coordination.away = true;
  await pass(2 * ttl);
  expect([first.running, second.running]).toEqual([false, true]);
  expect(mostRunning).toBe(1);
  first.coordination.away = false;
  await pass(2 * ttl);
  expect([first.running, second.running]).toEqual([false, true]);
});

test("a short outage does not end it", async () => {
  const first = addNode();
  await pass(look);
  for (let outage = 0; outage < 5; outage++) {
    first.coordination.away = true;
    await pass(ttl / 2);
    first.coordination.away = false;
    await pass(ttl / 2);
  }
  expect([first.running, first.starts, first.leadership.fence]).toEqual([true, 1, 1]);
});

test("without answers from the store it stops when the lease may have expired, and late answers change nothing", async () => {
  const first = addNode();
  await pass(look);
  first.coordination.slow = true;
  await pass(ttl + 1);
  expect(first.running).toBe(false);
  first.coordination.slow = false;
  await pass(3 * ttl);
  expect([first.running, first.starts]).toEqual([true, 2]);
  expect(first.leadership.fence).toBe(place.holder("s")!.fence);
});

test("a lease that is granted too late is not used", async () => {
  const first = addNode({ slow: true });
  await pass(2 * ttl);
  const second = addNode();
  await pass(look);
  expect(second.running).toBe(true);
  first.coordination.slow = false;
  await pass(look);
  expect([first.running, first.leadership.fence]).toEqual([false, undefined]);
});

test("when stopped, it releases the lease once everything has ended, and another node takes over at its next check", async () => {
  const first = addNode();
  await pass(look);
  const second = addNode();
  await pass(look);
  first.stopTime = 700;
  const stopped = first.leadership.stop();
  await pass(600);
  expect([first.running, second.running]).toEqual([true, false]);
  await pass(100);
  await stopped;
  expect(first.running).toBe(false);
  await pass(look);
  expect(second.running).toBe(true);
  await pass(2 * ttl);
  expect(first.starts).toBe(1);
  expect(mostRunning).toBe(1);
});

test("when stopped while it requests the lease, it starts nothing and keeps nothing", async () => {
  const first = addNode({ slow: true });
  await pass(1);
  const stopped = first.leadership.stop();
  await pass(10);
  first.coordination.slow = false;
  await pass(10);
  await stopped;
  expect(first.starts).toBe(0);
  expect(place.holder("s")).toBeUndefined();
});

test("when stopped while the store is away, it still ends", async () => {
  const first = addNode();
  await pass(look);
  first.coordination.away = true;
  await first.leadership.stop();
  await pass(2 * ttl);
  expect([first.running, first.starts]).toEqual([false, 1]);
});

test("on demand it runs on the node that needs it first, until no node needs it", async () => {
  const first = addNode({ always: false });
  const second = addNode({ always: false });
  await pass(2 * ttl);
  expect([first.starts, second.starts]).toEqual([0, 0]);
  expect(place.holder("s")).toBeUndefined();

  first.leadership.need(true);
  await pass(look);
  expect([first.running, second.running]).toEqual([true, false]);
  second.leadership.need(true);
  await pass(look);
  first.leadership.need(false);
  await pass(3 * ttl);
  expect([first.running, first.starts, second.starts]).toEqual([true, 1, 0]);

  second.leadership.need(false);
  await pass(ttl / 3 + look);
  expect([first.running, second.running]).toEqual([false, false]);
  expect(place.holder("s")).toBeUndefined();

  second.leadership.need(true);
  await pass(look);
  expect([first.running, second.running]).toEqual([false, true]);
});

test("on demand, the need of a node that has died is forgotten", async () => {
  const first = addNode({ always: false });
  const second = addNode({ always: false });
  first.leadership.need(true);
  await pass(look);
  second.leadership.need(true);
  await pass(look);
  first.leadership.need(false);
  second.coordination.away = true;
  await pass(2 * ttl);
  expect(first.running).toBe(false);
});

test("on demand, another node that needs it takes over from one that has died", async () => {
  const first = addNode({ always: false });
  const second = addNode({ always: false });
  first.leadership.need(true);
  await pass(look);
  second.leadership.need(true);
  await pass(look);
  first.coordination.away = true;
  await pass(ttl + look);
  expect([first.running, second.running]).toEqual([false, true]);
  expect(mostRunning).toBe(1);
});

test("on demand, a node that is stopped withdraws its need, so another node does not run because of it", async () => {
  const first = addNode({ always: false });
  const second = addNode({ always: false });
  first.leadership.need(true);
  await pass(look);
  second.leadership.need(true);
  await pass(look);
  first.leadership.need(false);
  await pass(look);
  await second.leadership.stop();
  // Its need was recorded at its last check, and would last for the whole `ttl`.
  await pass(ttl / 3 + look);
  expect(first.running).toBe(false);
  expect(place.holder("s")).toBeUndefined();
});

test("on demand, a stopped node hands over to another one that needs it, even if its own need cannot be withdrawn", async () => {
  const first = addNode({ always: false });
  const second = addNode({ always: false });
  first.leadership.need(true);
  await pass(look);
  second.leadership.need(true);
  await pass(look);
  first.coordination.declareDemand = () => Promise.reject(new Error("refused"));
  await first.leadership.stop();
  await pass(look);
  expect([first.running, second.running]).toEqual([false, true]);
});

test("on demand, a lease is handed over even if the store is slow to withdraw the need", async () => {
  const first = addNode({ always: false });
  const second = addNode({ always: false });
  first.leadership.need(true);
  await pass(look);
  second.leadership.need(true);
  await pass(look);
  first.coordination.declareDemand = () => new Promise(() => {});
  void first.leadership.stop();
  await pass(look);
  expect([first.running, second.running]).toEqual([false, true]);
});
