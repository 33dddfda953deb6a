import { setTimeout } from "node:timers/promises";
import { columns, delivery, faults, settle, times } from "./metrics.js";

/** @type {import("../types.d.ts").Scenario} */
export const slowReaders = {
  name: "slow-readers",
  text:
    "Some clients stop reading. The latency is that of the others; the memory shows what the server holds for those who " +
    "stopped. In the end they read on, and what they miss then counts as lost.",
  needs: [],
  variants: [
    {
      name: "1,000 clients, 50 of them stalled, 20/s of 16 kB",
      numbers: { clients: 1000, stalled: 50, rate: 20, seconds: 8, size: 16_000 },
    },
  ],
  small: [
    {
      name: "20 clients, 2 of them stalled",
      numbers: { clients: 20, stalled: 2, rate: 200, seconds: 0.5, size: 16_000 },
    },
  ],
  columns: [
    columns.p99,
    columns.p50,
    columns.p999,
    columns.rss,
    { key: "grown", title: "RSS grown by MiB", digits: 1 },
    columns.cpu,
  ],
  async run(stage, { clients, stalled, rate, seconds }) {
    const readers = await stage.open({ count: clients - stalled, first: 1 });
    const stopped = await stage.open({ count: stalled, first: 1, stalled: true });
    await setTimeout(settle);
    const before = stage.rss();
    const measured = await stage.measure(async () => {
      const emitted = await stage.emit.paced(rate, rate * seconds);
      await readers.completed(emitted.last, 60);
      return emitted;
    });
    const report = await readers.report();
    await stopped.resume();
    await stopped.completed(measured.result.last, 30);
    return {
      ...delivery(measured, report, measured.result.startedAt),
      ...times(report),
      grown: (measured.rss - before) / 2 ** 20,
      ...faults(report, await stopped.report()),
    };
  },
};
