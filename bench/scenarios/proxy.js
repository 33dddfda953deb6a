import { setTimeout } from "node:timers/promises";
import { idleMemory } from "./idle-memory.js";
import { columns, faults, latency, settle } from "./metrics.js";
import { steady } from "./steady.js";

/** @typedef {import("../types.d.ts").Stage} Stage */
/** @typedef {import("../types.d.ts").Numbers} Numbers */
/** @typedef {import("../types.d.ts").Metrics} Metrics */

/** See `paced`. */
const long = { seconds: 6, warmUp: 8 };

/** @type {import("../types.d.ts").Scenario} */
export const proxy = {
  name: "proxy",
  text:
    "Every request is forwarded to the origin. Streams: each client has a stream of its own, and the streams have their events at " +
    "different times; the added latency is what it takes longer than without a proxy, measured in the same run. Short requests: each " +
    "connection asks for 200 bytes again as soon as it has them.",
  needs: ["routes"],
  variants: [
    { name: "1,000 streams × 40/s", numbers: { clients: 1000, rate: 40, ...long, routes: 1 } },
    { name: "4,000 idle streams", numbers: { clients: 4000, steady: 1500, routes: 1 } },
    { name: "short requests, 64 connections", numbers: { clients: 64, requests: 1, ...long, routes: 1 } },
  ],
  small: [
    { name: "20 streams × 100/s", numbers: { clients: 20, rate: 100, seconds: 0.3, warmUp: 0.1, routes: 1 } },
    { name: "100 idle streams", numbers: { clients: 100, steady: 200, routes: 1 } },
    {
      name: "short requests, 8 connections",
      numbers: { clients: 8, requests: 1, seconds: 0.3, warmUp: 0.1, routes: 1 },
    },
  ],
  columns: [
    { ...columns.cpu, title: "CPU µs per event or request" },
    { ...columns.rate, title: "events or requests/s" },
    ...latency,
    { key: "addedP50", title: "added p50 ms", digits: 2 },
    { key: "addedP99", title: "added p99 ms", digits: 2 },
    columns.rss,
    { key: "perConnection", title: "RSS kB per idle stream", digits: 2 },
  ],
  run(stage, numbers) {
    if (numbers.requests) return requests(stage, numbers);
    return numbers.steady ? idleMemory.run(stage, numbers) : streams(stage, numbers);
  },
};

/**
 * @param {Stage} stage
 * @param {Numbers} numbers
 * @returns {Promise<Metrics>}
 */
async function streams(stage, { clients, rate, seconds, warmUp }) {
  const { group, measured, metrics } = await steady(stage, { clients, rate, seconds, warmUp });
  const report = await group.report();
  await group.leave();
  await setTimeout(settle);
  const direct = await stage.open({ count: clients, first: measured.result.last + 1, at: stage.origin });
  // The load client has long been warm.
  await direct.completed((await stage.emit.paced(rate, Math.ceil(rate / 2))).last, 60);
  await direct.mark();
  await direct.completed((await stage.emit.paced(rate, rate * seconds)).last, 60);
  const { p50, p99 } = await direct.report();
  return { ...metrics, addedP50: metrics.p50 - p50, addedP99: metrics.p99 - p99, ...faults(report) };
}

/**
 * @param {Stage} stage
 * @param {Numbers} numbers
 * @returns {Promise<Metrics>}
 */
async function requests(stage, { clients, seconds, warmUp }) {
  await stage.request(clients, warmUp);
  const { result, cpu, rss, loadBusy } = await stage.measure(() => stage.request(clients, seconds));
  const { answered, refused, wrong, closed, p50, p99 } = result;
  return {
    cpu: cpu / answered,
    rate: answered / result.seconds,
    p50,
    p99,
    rss: rss / 2 ** 20,
    loadBusy,
    lost: wrong,
    duplicates: 0,
    disordered: 0,
    refused,
    closed,
  };
}
