import { atOnce } from "./at-once.js";
import { columns, faults, latency } from "./metrics.js";
import { steady } from "./steady.js";

/** @typedef {import("../types.d.ts").Measured<unknown>} Measured */
/** @typedef {import("../types.d.ts").Stage} Stage */

const pacedBase = { clients: 2000, rate: 20, seconds: 6, warmUp: 2, cores: 2 };
const burstBase = { clients: 2000, events: 5000, cores: 2 };
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

/** @type {import("../types.d.ts").Scenario} */
export const workersBurst = {
  name: "workers-burst",
  text: "How much more several processes deliver: 5,000 events at once to 2,000 clients. The server has two cores, as above.",
  needs: [],
  within: "spillway",
  variants: [
    { name: "one process", numbers: burstBase },
    { name: "2 workers", numbers: { ...burstBase, workers: 2 } },
  ],
  small: [{ name: "2 workers, 20 clients", numbers: { clients: 20, events: 200, cores: 2, workers: 2 } }],
  columns: [columns.rate, columns.cpu, ...latency, pss],
  async run(stage, { clients, events }) {
    const metrics = await atOnce(stage, { clients, events });
    return { ...metrics, ...memory(stage) };
  },
};

/** Each process's part of the CPU time, in %. */
function shares(/** @type {Measured} */ { cpu, cpuOfEach: [first = 0, ...others] }) {
  const percent = (/** @type {number} */ part) => (part / cpu) * 100;
  if (others.length === 0) return { primary: percent(first) };
  return {
    primary: percent(first),
    busiest: percent(Math.max(...others)),
    idlest: percent(Math.min(...others)),
  };
}

/** At the end: it counts what processes share once. */
function memory(/** @type {Stage} */ stage) {
  return { pss: stage.pss() / 2 ** 20 };
}
