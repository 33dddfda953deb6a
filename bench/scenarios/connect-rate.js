import { setTimeout } from "node:timers/promises";
import { columns, faults, latency, settle, stall, stallColumns, times } from "./metrics.js";

/** @type {import("../types.d.ts").Scenario} */
export const connectRate = {
  name: "connect-rate",
  text:
    "Clients connect as fast as they can while live events go out to all who are there: to a server that as many came to and left " +
    "before, and to one that has just started. The latency is that of 100 clients which were there before; stalls are how long " +
    "others waited for the answer to a small request, asked every 5 ms, of the one that has just started.",
  needs: [],
  variants: [
    { name: "10,000 clients, live 5/s", numbers: { clients: 10_000, rate: 5, earlier: 10_000 } },
    { name: "the same, just started", numbers: { clients: 10_000, rate: 5, probe: 1 } },
  ],
  small: [{ name: "100 clients, live 100/s", numbers: { clients: 100, rate: 100, earlier: 100, probe: 1 } }],
  columns: [
    { key: "connects", title: "connections/s", digits: 0 },
    { key: "cpuPerConnection", title: "CPU µs per connection", digits: 1 },
    ...latency,
    columns.rss,
    ...stallColumns,
  ],
  async run(stage, { clients, rate, earlier = 0, probe = 0 }) {
    const others = await stage.open({ count: 100, first: 1, apart: true });
    if (earlier > 0) await (await stage.open({ count: earlier })).leave();
    await setTimeout(settle);
    const live = stage.emit.paced(rate, 1e9);
    await setTimeout(settle);
    await others.mark();
    const connect = () => stage.open({ count: clients });
    // Probing takes server time away from new connections, so there is none where connections are counted.
    const measured = await stage.measure(async () =>
      probe > 0 ? stage.probe(connect) : { result: await connect(), stalls: undefined },
    );
    const meanwhile = await others.report();
    await setTimeout(settle);
    await stage.emit.stop();
    const { last } = await live;
    const { result: arrived, stalls } = measured.result;
    await Promise.all([arrived.completed(last, 60), others.completed(last, 60)]);
    return {
      connects: clients / arrived.seconds,
      cpuPerConnection: measured.cpu / clients,
      rss: measured.rss / 2 ** 20,
      loadBusy: measured.loadBusy,
      ...times(meanwhile),
      ...stall(stalls),
      ...faults(await arrived.report(), await others.report()),
    };
  },
};
