import { columns, faults, latency, stall, stallColumns } from "./metrics.js";
import { steady } from "./steady.js";

/**
 * The minimum for a stable result: CPU time has a resolution of 10 ms, and after 2 s V8 still compiles on the server's only core,
 * which raises its p99 by half.
 */
const times = { seconds: 6, warmUp: 8 };

/** @type {import("../types.d.ts").Scenario} */
export const paced = {
  name: "paced",
  text:
    "Everyone gets every event, events come one by one, and have done so for 8 s when the counting begins. Stalls are how long the " +
    "server took to answer a small request of somebody else's, asked every 5 ms, for some more seconds of the same load.",
  needs: [],
  variants: [
    { name: "1,000 clients × 40/s", numbers: { clients: 1000, rate: 40, ...times } },
    { name: "1,000 clients × 100/s", numbers: { clients: 1000, rate: 100, ...times } },
    { name: "10,000 clients × 5/s", numbers: { clients: 10_000, rate: 5, ...times, probe: 3 } },
  ],
  small: [{ name: "20 clients × 100/s", numbers: { clients: 20, rate: 100, seconds: 0.3, warmUp: 0.1, probe: 0.1 } }],
  columns: [columns.cpu, columns.rate, ...latency, columns.rss, ...stallColumns],
  async run(stage, { clients, rate, seconds, warmUp, probe = 0 }) {
    const { group, metrics } = await steady(stage, { clients, rate, seconds, warmUp });
    if (probe === 0) return { ...metrics, ...faults(await group.report()) };
    const { stalls } = await stage.probe(async () => {
      const { last } = await stage.emit.paced(rate, rate * probe);
      await group.completed(last, 60);
    });
    return { ...metrics, ...stall(stalls), ...faults(await group.report()) };
  },
};
