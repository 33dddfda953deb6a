import { setTimeout } from "node:timers/promises";
import { columns, faults, latency, settle, times } from "./metrics.js";

/** @type {import("../types.d.ts").Scenario} */
export const replayStorm = {
  name: "replay-storm",
  text:
    "Clients come back at once, each far behind, while live events go on. The latency is that of other clients, which were " +
    "never away, in the same time.",
  needs: ["replay"],
  variants: [
    {
      name: "1,000 clients, 5,000 events behind, live 40/s to 20 others",
      numbers: { clients: 1000, behind: 5000, rate: 40 },
    },
  ],
  small: [{ name: "20 clients, 200 events behind", numbers: { clients: 20, behind: 200, rate: 100 } }],
  columns: [
    { key: "replayed", title: "replayed events/s", digits: 0 },
    columns.cpu,
    ...latency,
    { key: "max", title: "max ms", digits: 1 },
    columns.rss,
  ],
  async run(stage, { clients, behind, rate }) {
    const others = await stage.open({ count: 20, first: 1, wantsIds: true, apart: true });
    await setTimeout(settle);
    await others.completed((await stage.emit.burst(1)).last, 20);
    const id = await others.lastId();
    await others.completed((await stage.emit.burst(behind)).last, 60);
    await others.mark();

    const live = stage.emit.paced(rate, 1e9);
    await setTimeout(settle);
    const measured = await stage.measure(async () => {
      const startedAt = Number(process.hrtime.bigint() / 1000n);
      const storm = await stage.open({ count: clients, first: 2, headers: { "Last-Event-ID": id } });
      await storm.completed(behind + 1, 120);
      return { storm, startedAt };
    });
    const { storm, startedAt } = measured.result;
    const [back, meanwhile] = [await storm.report(), await others.report()];

    await stage.emit.stop();
    const { last } = await live;
    await Promise.all([storm.completed(last, 30), others.completed(last, 30)]);
    return {
      replayed: (back.received / (back.lastAt - startedAt)) * 1e6,
      cpu: measured.cpu / back.received,
      rss: measured.rss / 2 ** 20,
      loadBusy: measured.loadBusy,
      ...times(meanwhile),
      ...faults(await storm.report(), await others.report()),
    };
  },
};
