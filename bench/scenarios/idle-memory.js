import { setTimeout } from "node:timers/promises";
import { faults } from "./metrics.js";

/** How long the server's memory must stay unchanged, in ms. */
const steady = 1500;

/** @type {import("../types.d.ts").Scenario} */
export const idleMemory = {
  name: "idle-memory",
  text: "Connections that get nothing. The memory is what the server has more than before they came, once it stays the same.",
  needs: [],
  variants: [
    { name: "1,000 connections", numbers: { clients: 1000, steady } },
    { name: "10,000 connections", numbers: { clients: 10_000, steady } },
    { name: "18,000 connections", numbers: { clients: 18_000, steady } },
  ],
  small: [{ name: "100 connections", numbers: { clients: 100, steady: 200 } }],
  columns: [
    { key: "perConnection", title: "RSS kB per connection", digits: 2 },
    { key: "empty", title: "empty server MiB", digits: 1 },
    { key: "rss", title: "RSS MiB", digits: 1 },
    { key: "cpuIdle", title: "CPU % while idle", digits: 2 },
  ],
  async run(stage, { clients, steady: still }) {
    const empty = await steadyRss(stage, still);
    const group = await stage.open({ count: clients, first: 1 });
    const full = await steadyRss(stage, still);
    const idle = await stage.measure(() => setTimeout(still));
    // Verifies that the clients are really subscribed: each gets an event.
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

/**
 * Resident memory of the server once it has stayed the same for so many ms.
 * @param {import("../types.d.ts").Stage} stage
 * @param {number} still
 */
export async function steadyRss(stage, still) {
  const period = still / 8;
  let rss = stage.rss();
  for (let since = 0, waited = 0; since < still && waited < 15 * still; since += period, waited += period) {
    await setTimeout(period);
    const now = stage.rss();
    if (Math.abs(now - rss) > rss / 200) since = 0;
    rss = now;
  }
  return rss;
}
