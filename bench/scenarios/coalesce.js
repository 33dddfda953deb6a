import { columns, faults, latency } from "./metrics.js";
import { steady } from "./steady.js";

const base = { clients: 1000, rate: 100, seconds: 6, warmUp: 2 };
const small = { clients: 20, rate: 100, seconds: 0.3, warmUp: 0.1 };

/** @type {import("../types.d.ts").Scenario} */
export const coalesce = {
  name: "coalesce",
  text:
    "What `coalesce` of a stream brings and costs: events wait so long for others to leave with them. " +
    "1,000 clients × 100/s.",
  needs: [],
  within: "spillway",
  variants: [
    { name: "off", numbers: base },
    { name: "20 ms", numbers: { ...base, coalesce: 20 } },
    { name: "100 ms", numbers: { ...base, coalesce: 100 } },
    { name: "500 ms", numbers: { ...base, coalesce: 500 } },
  ],
  small: [{ name: "20 ms, 20 clients", numbers: { ...small, coalesce: 20 } }],
  columns: [columns.cpu, columns.rate, ...latency, columns.rss],
  async run(stage, { clients, rate, seconds, warmUp }) {
    const { group, metrics } = await steady(stage, { clients, rate, seconds, warmUp });
    return { ...metrics, ...faults(await group.report()) };
  },
};
