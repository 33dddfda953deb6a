import { columns, faults, latency } from "./metrics.js";
import { steady } from "./steady.js";

const base = { channels: 100, rate: 1000, seconds: 6, warmUp: 4 };

/** @type {import("../types.d.ts").Scenario} */
export const filters = {
  name: "filters",
  text:
    "What filter expressions cost: 1,000 events/s, of which each goes to one of 100 clients. Each client has an expression of its own, such " +
    'as `data.n > 0 && data.c == "c7"`, so an event is evaluated 100 times.',
  needs: ["channels"],
  within: "spillway",
  variants: [
    { name: "no clients", numbers: { ...base, clients: 0 } },
    { name: "100 clients on 100 channels", numbers: { ...base, clients: 100 } },
    { name: "100 clients with 100 filters", numbers: { ...base, clients: 100, filters: 1 } },
  ],
  small: [
    {
      name: "20 clients with 10 filters",
      numbers: { clients: 20, channels: 10, filters: 1, rate: 500, seconds: 0.4, warmUp: 0.02 },
    },
  ],
  columns: [{ key: "share", title: "% of a core", digits: 1 }, columns.rate, ...latency, columns.rss],
  async run(stage, { clients, rate, seconds, warmUp }) {
    const { group, measured, metrics } = await steady(stage, { clients, rate, seconds, warmUp });
    const share = measured.cpu / measured.seconds / 1e4;
    return { ...(clients > 0 ? metrics : { rss: metrics.rss }), share, ...faults(await group.report()) };
  },
};
