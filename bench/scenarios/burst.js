import { setTimeout } from "node:timers/promises";
import { columns, delivery, faults, latency, settle, times } from "./metrics.js";

/** @type {import("../types.d.ts").Scenario} */
export const burst = {
  name: "burst",
  text: "Many events at once to everyone. The time runs from the first event's making to the last delivery.",
  needs: [],
  variants: [{ name: "2,000 events to 1,000 clients", numbers: { clients: 1000, events: 2000 } }],
  small: [{ name: "200 events to 20 clients", numbers: { clients: 20, events: 200 } }],
  columns: [columns.rate, columns.cpu, ...latency, columns.rss],
  async run(stage, { clients, events }) {
    const group = await stage.open({ count: clients, first: 1 });
    await setTimeout(settle);
    // A first, smaller one warms up.
    const before = await stage.emit.burst(events / 10);
    await group.completed(before.last, 60);
    await group.mark();
    const measured = await stage.measure(async () => {
      const emitted = await stage.emit.burst(events);
      await group.completed(emitted.last, 120);
      return emitted;
    });
    const report = await group.report();
    return { ...delivery(measured, report, measured.result.startedAt), ...times(report), ...faults(report) };
  },
};
