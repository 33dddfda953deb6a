import { setTimeout } from "node:timers/promises";
import { columns, delivery, faults, latency, settle, times } from "./metrics.js";

/** @type {import("../types.d.ts").Scenario} */
export const filtered = {
  name: "filtered",
  text: "Every client follows one channel; the events take the channels in turn.",
  needs: ["channels"],
  variants: [
    {
      name: "10,000 clients on 1,000 channels, 2,000 events/s",
      numbers: { clients: 10_000, channels: 1000, rate: 2000, events: 20_000 },
    },
  ],
  small: [{ name: "40 clients on 10 channels", numbers: { clients: 40, channels: 10, rate: 500, events: 200 } }],
  columns: [columns.cpu, columns.rate, ...latency, columns.rss],
  async run(stage, { clients, channels, rate, events }) {
    const group = await stage.open({ count: clients, first: 1 });
    await setTimeout(settle);
    const before = await stage.emit.paced(rate, channels);
    await group.completed(before.last, 60);
    await group.mark();
    const measured = await stage.measure(async () => {
      const emitted = await stage.emit.paced(rate, events);
      await group.completed(emitted.last, 60);
      return emitted;
    });
    const report = await group.report();
    return { ...delivery(measured, report, measured.result.startedAt), ...times(report), ...faults(report) };
  },
};
