import { setTimeout } from "node:timers/promises";
import { median } from "../stats.js";
import { columns, faults, latency, settle } from "./metrics.js";
import { steady } from "./steady.js";

/** @typedef {import("../types.d.ts").Measured<unknown>} Measured */
/** @typedef {import("../types.d.ts").Stage} Stage */

const pacedBase = { clients: 2000, rate: 20, seconds: 6, warmUp: 2, cores: 2 };
const fanOutBase = { clients: 10_000, events: 40, cores: 2 };
const pss = { key: "pss", title: "memory MiB (Pss)", digits: 1 };

/** @type {import("../types.d.ts").Scenario} */
export const workers = {
  name: "workers",
  text:
    "What it costs to serve with several processes: all of them counted, and the part of each. The server has two cores; where " +
    "the machine has no third one, the load client contends for them. 2,000 clients × 20/s.",
  needs: [],
  within: "spillway",
  variants: [
    { name: "one process", numbers: pacedBase },
    { name: "2 workers", numbers: { ...pacedBase, workers: 2 } },
  ],
  small: [
    {
      name: "2 workers, 20 clients",
      numbers: { clients: 20, rate: 100, seconds: 0.3, warmUp: 0.1, cores: 2, workers: 2 },
    },
  ],
  columns: [
    columns.cpu,
    columns.rate,
    ...latency,
    { key: "primary", title: "primary's CPU %", digits: 0 },
    { key: "busiest", title: "busiest worker's %", digits: 0 },
    { key: "idlest", title: "idlest worker's %", digits: 0 },
    pss,
  ],
  async run(stage, { clients, rate, seconds, warmUp }) {
    const { group, measured, metrics } = await steady(stage, { clients, rate, seconds, warmUp });
    return { ...metrics, ...shares(measured), ...memory(stage), ...faults(await group.report()) };
  },
};

/** The number of clients that read. They connect last, so an event reaches them last. */
const watchers = 10;

/** @type {import("../types.d.ts").Scenario} */
export const workersFanOut = {
  name: "workers-fan-out",
  text:
    "How long it takes until the last of 10,000 clients has an event, and so how much more several processes deliver. The load " +
    `needs next to nothing: all but ${watchers} clients leave what they get in their sockets until the end, when all of it is read and checked.`,
  needs: [],
  within: "spillway",
  variants: [
    { name: "one process", numbers: fanOutBase },
    { name: "2 workers", numbers: { ...fanOutBase, workers: 2 } },
  ],
  small: [{ name: "2 workers, 40 clients", numbers: { clients: 40, events: 10, cores: 2, workers: 2 } }],
  columns: [
    columns.rate,
    columns.cpu,
    { key: "all", title: "all have it after ms", digits: 1 },
    { key: "slowest", title: "slowest event ms", digits: 1 },
    pss,
  ],
  async run(stage, { clients, events }) {
    const silent = await stage.open({ count: clients - watchers, first: 1, stalled: true });
    const last = await stage.open({ count: watchers, first: 1 });
    await setTimeout(settle);
    // In ms, from the creation of the event.
    const fanOut = async () => {
      const emitted = await stage.emit.burst(1);
      await last.completed(emitted.last, 60);
      return ((await last.report()).lastAt - emitted.startedAt) / 1000;
    };
    for (let event = 0; event < events / 2; event++) await fanOut();
    const { result: took, cpu } = await stage.measure(async () => {
      const times = [];
      for (let event = 0; event < events; event++) times.push(await fanOut());
      return times;
    });
    const all = median(took);
    const used = memory(stage);
    await silent.resume();
    await silent.completed(1.5 * events, 60);
    return {
      rate: (clients / all) * 1000,
      cpu: cpu / (clients * events),
      all,
      slowest: Math.max(...took),
      ...used,
      // Ten clients use almost no CPU.
      contended: 0,
      ...faults(await silent.report(), await last.report()),
    };
  },
};

/** The share of each process in the CPU time, in %. */
function shares(/** @type {Measured} */ { cpu, cpuOfEach: [first = 0, ...others] }) {
  const percent = (/** @type {number} */ part) => (part / cpu) * 100;
  if (others.length === 0) return { primary: percent(first) };
  return {
    primary: percent(first),
    busiest: percent(Math.max(...others)),
    idlest: percent(Math.min(...others)),
  };
}

/** The last column: memory with shared pages counted once. */
function memory(/** @type {Stage} */ stage) {
  return { pss: stage.pss() / 2 ** 20 };
}
