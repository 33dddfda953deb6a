import { setTimeout } from "node:timers/promises";
import { faults } from "./metrics.js";

/** How long the server's memory must have stayed the same, and how often it is looked at, in ms. */
const steady = 2000;
const period = 250;

/** @type {import("../types.d.ts").Scenario} */
export const idleMemory = {
  name: "idle-memory",
  text: "Connections that get nothing. The memory is what the server has more than before they came, once it stays the same.",
  needs: [],
  variants: [
    { name: "1,000 connections", clients: 1000 },
    { name: "10,000 connections", clients: 10_000 },
    { name: "18,000 connections", clients: 18_000 },
  ],
  small: [{ name: "100 connections", clients: 100 }],
  columns: [
    { key: "perConnection", title: "RSS kB per connection", digits: 2 },
    { key: "empty", title: "empty server MiB", digits: 1 },
    { key: "rss", title: "RSS MiB", digits: 1 },
    { key: "cpuIdle", title: "CPU % while idle", digits: 2 },
  ],
  async run(stage, { clients }) {
    const empty = await steadyRss(stage);
    const group = await stage.open({ count: clients, first: 1 });
    const full = await steadyRss(stage);
    const idle = await stage.measure(() => setTimeout(steady));
    // They are connected in earnest: each gets an event.
    await group.completed((await stage.emit.burst(1)).last, 30);
    return {
      perConnection: (full - empty) / clients / 1000,
      empty: empty / 2 ** 20,
      rss: full / 2 ** 20,
      cpuIdle: idle.cpu / idle.seconds / 1e4,
      ...faults(await group.report()),
    };
  },
};

/** @param {import("../types.d.ts").Stage} stage */
async function steadyRss(stage) {
  let rss = stage.rss();
  for (let since = 0, waited = 0; since < steady && waited < 30_000; since += period, waited += period) {
    await setTimeout(period);
    const now = stage.rss();
    if (Math.abs(now - rss) > rss / 200) since = 0;
    rss = now;
  }
  return rss;
}
