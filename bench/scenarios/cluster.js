import { setTimeout } from "node:timers/promises";
import { usageOf } from "../measure.js";
import { columns, faults, settle } from "./metrics.js";

/** @typedef {import("../types.d.ts").LoadGroup} LoadGroup */
/** @typedef {import("../types.d.ts").Stage} Stage */
/** @typedef {import("../types.d.ts").Metrics} Metrics */
/** @typedef {{ pid: number, clients: LoadGroup }} Node */

/** The numbers of nodes to measure. */
const sizes = [1, 2, 4];

/** @type {import("../types.d.ts").Scenario} */
export const cluster = {
  name: "cluster",
  text:
    "Nodes that share an engine's log. First one node takes 50,000 events as fast as it can, until the last one is stored. Then " +
    "100 events/s go out with 1, 2 and 4 nodes, to 20 clients on each. The latencies, and the CPU of the leader (the node that " +
    "ingests) and of the other node, are those of 2 nodes. The engine's CPU is that of all its processes, whoever else uses it; – " +
    "where they cannot be seen. All nodes share one core, the engine is not pinned.",
  needs: ["nodes"],
  variants: [
    {
      name: "20 clients on each node × 100/s",
      numbers: { clients: 20, events: 50_000, rate: 100, seconds: 6, warmUp: 2, nodes: 4 },
    },
  ],
  small: [
    {
      name: "5 clients on each of 2 nodes",
      numbers: { clients: 5, events: 500, rate: 100, seconds: 0.3, warmUp: 0.1, nodes: 2 },
    },
  ],
  columns: [
    { key: "stored", title: "stored events/s", digits: 0 },
    { key: "p50", title: "leader's clients: p50 ms", digits: 2 },
    columns.p99,
    { key: "otherP50", title: "other node's clients: p50 ms", digits: 2 },
    { key: "otherP99", title: "p99 ms", digits: 2 },
    { key: "leader", title: "CPU µs per event: leader", digits: 0 },
    { key: "other", title: "other node", digits: 0 },
    { key: "engine1", title: "engine, 1 node", digits: 0 },
    { key: "engine2", title: "engine, 2 nodes", digits: 0 },
    { key: "engine4", title: "engine, 4 nodes", digits: 0 },
  ],
  async run(stage, { clients, events, rate, seconds, warmUp, nodes }) {
    const watcher = await stage.open({ count: 1, first: 1 });
    await setTimeout(settle);
    const { metrics, ...ingested } = await ingest(stage, watcher, events);
    let { last } = ingested;
    /** @type {Node[]} */
    const members = [];
    for (const size of sizes.filter((each) => each <= nodes)) {
      while (members.length < size) {
        const { pid, url } = members.length === 0 ? stage.running : await join(stage);
        members.push({ pid, clients: await stage.open({ count: clients, first: last + 1, at: url }) });
      }
      await setTimeout(settle);
      await pace(stage, members, { rate, count: rate * warmUp });
      const measured = await measure(stage, members, { rate, count: rate * seconds });
      last = measured.last;
      Object.assign(metrics, measured.metrics);
    }
    await watcher.completed(last, 60);
    const reports = [watcher, ...members.map((node) => node.clients)].map((group) => group.report());
    return { ...metrics, ...faults(...(await Promise.all(reports))) };
  },
};

/**
 * Creates events as fast as one node accepts them, a tenth of them first as a warm-up.
 * @param {Stage} stage
 * @param {LoadGroup} watcher
 * @param {number} events
 * @returns {Promise<{ last: number, metrics: Metrics }>}
 */
async function ingest({ emit, running, measure: watch }, watcher, events) {
  const early = await emit.fill(events / 10);
  await running.stored?.(early.count);
  const { result, loadBusy } = await watch(async () => {
    const emitted = await emit.fill(events);
    await running.stored?.(emitted.count);
    const storedAt = Number(process.hrtime.bigint() / 1000n);
    return { ...emitted, seconds: (storedAt - emitted.startedAt) / 1e6 };
  });
  await watcher.completed(result.last, 60);
  return { last: result.last, metrics: { stored: events / result.seconds, loadBusy } };
}

/** @param {Stage} stage */
async function join({ running }) {
  if (!running.join) throw new Error("it has no nodes");
  return running.join();
}

/**
 * Creates events one by one, until every client has them.
 * @param {Stage} stage
 * @param {readonly Node[]} members
 * @param {{ rate: number, count: number }} events
 */
async function pace({ emit }, members, { rate, count }) {
  const { last } = await emit.paced(rate, count);
  for (const { clients } of members) await clients.completed(last, 60);
  return last;
}

/**
 * The same, with the cost of an event for the engine; with 2 nodes also its cost for the nodes and its latency.
 * @param {Stage} stage
 * @param {readonly Node[]} members
 * @param {{ rate: number, count: number }} events
 * @returns {Promise<{ last: number, metrics: Metrics }>}
 */
async function measure(stage, members, events) {
  for (const { clients } of members) await clients.mark();
  const { engine } = stage.running;
  const pids = [...members.map(({ pid }) => pid), ...(engine === undefined ? [] : [engine])];
  const before = pids.map((pid) => usageOf(pid).cpu);
  const last = await pace(stage, members, events);
  const costs = pids.map((pid, index) => (usageOf(pid).cpu - before[index]) / events.count);

  const metrics = { [`engine${members.length}`]: costs[members.length] ?? NaN };
  if (members.length !== 2) return { last, metrics };
  const [leader, other] = costs;
  const [own, others] = await Promise.all(members.map(({ clients }) => clients.report()));
  const { p50, p99 } = own;
  return { last, metrics: { ...metrics, leader, other, p50, p99, otherP50: others.p50, otherP99: others.p99 } };
}
