import { setTimeout } from "node:timers/promises";
import { columns, delivery, faults, latency, settle, times } from "./metrics.js";

/** How long events go out before anything is counted: compilers and buffers warm up, in s. */
const warmUp = 2;

/** @type {import("../types.d.ts").Scenario} */
export const paced = {
  name: "paced",
  text: "Everyone gets every event, events come one by one.",
  needs: [],
  variants: [
    { name: "1,000 clients × 40/s", numbers: { clients: 1000, rate: 40, seconds: 10, warmUp } },
    { name: "1,000 clients × 100/s", numbers: { clients: 1000, rate: 100, seconds: 10, warmUp } },
    { name: "10,000 clients × 5/s", numbers: { clients: 10_000, rate: 5, seconds: 10, warmUp } },
  ],
  small: [{ name: "20 clients × 100/s", numbers: { clients: 20, rate: 100, seconds: 0.3, warmUp: 0.1 } }],
  columns: [columns.cpu, columns.rate, ...latency, columns.rss],
  async run(stage, { clients, rate, seconds, warmUp: warm }) {
    const group = await stage.open({ count: clients, first: 1 });
    await setTimeout(settle);
    const before = await stage.emit.paced(rate, Math.ceil(rate * warm));
    await group.completed(before.last, 60);
    await group.mark();
    const measured = await stage.measure(async () => {
      const emitted = await stage.emit.paced(rate, rate * seconds);
      await group.completed(emitted.last, 60);
      return emitted;
    });
    const report = await group.report();
    return { ...delivery(measured, report, measured.result.startedAt), ...times(report), ...faults(report) };
  },
};
