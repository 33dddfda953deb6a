import { columns, faults, latency } from "./metrics.js";
import { steady } from "./steady.js";

/** @type {import("../types.d.ts").Scenario} */
export const filtered = {
  name: "filtered",
  text: "Every client follows one channel; the events take the channels in turn.",
  needs: ["channels"],
  variants: [
    {
      name: "10,000 clients on 1,000 channels, 2,000 events/s",
      numbers: { clients: 10_000, channels: 1000, rate: 2000, seconds: 6, warmUp: 4 },
    },
  ],
  small: [
    {
      name: "40 clients on 10 channels",
      numbers: { clients: 40, channels: 10, rate: 500, seconds: 0.4, warmUp: 0.02 },
    },
  ],
  columns: [columns.cpu, columns.rate, ...latency, columns.rss],
  async run(stage, { clients, rate, seconds, warmUp }) {
    const { group, metrics } = await steady(stage, { clients, rate, seconds, warmUp });
    return { ...metrics, ...faults(await group.report()) };
  },
};
