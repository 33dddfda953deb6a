import { setTimeout } from "node:timers/promises";
import { columns, faults, settle } from "./metrics.js";

/** @type {import("../types.d.ts").Scenario} */
export const ingest = {
  name: "ingest",
  text: "Events come as fast as they are taken. The time runs until the last one is stored; the clients get all of them too.",
  needs: ["ingest"],
  variants: [
    { name: "no clients", numbers: { clients: 0, seconds: 5 } },
    { name: "100 clients", numbers: { clients: 100, seconds: 5 } },
  ],
  small: [{ name: "10 clients", numbers: { clients: 10, seconds: 0.05 } }],
  columns: [
    { key: "stored", title: "stored events/s", digits: 0 },
    { key: "cpuPerEvent", title: "CPU µs per event", digits: 1 },
    columns.rss,
  ],
  async run(stage, { clients, seconds }) {
    const group = await stage.open({ count: clients, first: 1 });
    await setTimeout(settle);
    const measured = await stage.measure(async () => {
      const emitted = await stage.emit.flood(seconds);
      await stage.running.stored?.(emitted.count);
      const storedAt = Number(process.hrtime.bigint() / 1000n);
      await group.completed(emitted.last, 300);
      return { ...emitted, storedAt };
    });
    const { count, startedAt, storedAt } = measured.result;
    return {
      stored: (count / (storedAt - startedAt)) * 1e6,
      cpuPerEvent: measured.cpu / count,
      rss: measured.rss / 2 ** 20,
      loadBusy: measured.loadBusy,
      ...faults(await group.report()),
    };
  },
};
