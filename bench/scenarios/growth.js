import { setTimeout } from "node:timers/promises";
import { columns, faults } from "./metrics.js";
import { fillHistory, replayHistory } from "./history.js";
import { steady } from "./steady.js";

const times = { seconds: 5, warmUp: 2 };
const base = { clients: 1000, rate: 40, ...times };
/** Fewer events if they are large, because the load client has to read them all. */
const large = { ...base, rate: 10 };

/** The disk settles after filling the log: this measures a long log, not a flood. */
const past = { behind: 1000, rest: 2000 };

/** @type {import("../types.d.ts").Scenario} */
export const growth = {
  name: "growth",
  text:
    "How cost grows: each row changes one thing of the first. Where clients or channels change, so do the events, to keep a core " +
    "below saturation; where bytes change, compare with `10 events/s`. In the rows with a history the log held it before, and " +
    "after the measurement a client came back from 1,000 events ago, and one from the first of them: the time is from its " +
    "connecting to its first event.",
  needs: ["channels", "replay"],
  within: "spillway",
  variants: [
    { name: "1,000 clients × 40/s × 200 bytes", numbers: base },
    { name: "100 clients × 400/s", numbers: { ...base, clients: 100, rate: 400 } },
    { name: "5,000 clients × 8/s", numbers: { ...base, clients: 5000, rate: 8 } },
    { name: "10 events/s", numbers: large },
    { name: "100 events/s", numbers: { ...base, rate: 100 } },
    { name: "1 kB, 10/s", numbers: { ...large, size: 1000 } },
    { name: "4 kB, 10/s", numbers: { ...large, size: 4000 } },
    { name: "16 kB, 10/s", numbers: { ...large, size: 16_000 } },
    { name: "10 channels, 400/s", numbers: { ...base, channels: 10, rate: 400 } },
    { name: "1,000 channels, 4,000/s", numbers: { ...base, channels: 1000, rate: 4000 } },
    { name: "history of 10,000", numbers: { ...base, ...past, history: 10_000 } },
    { name: "history of 1,000,000", numbers: { ...base, ...past, history: 1_000_000 } },
  ],
  small: [
    {
      name: "20 clients on 10 channels",
      numbers: { clients: 20, channels: 10, rate: 500, seconds: 0.2, warmUp: 0.02 },
    },
    {
      name: "20 clients, history of 2,000",
      numbers: { clients: 20, rate: 100, seconds: 0.2, warmUp: 0.1, history: 2000, behind: 100, rest: 0 },
    },
  ],
  columns: [
    columns.cpu,
    { key: "cpuPerEvent", title: "CPU µs per event", digits: 0 },
    columns.rate,
    columns.p50,
    columns.p99,
    columns.rss,
    { key: "near", title: "1,000 behind: first event ms", digits: 2 },
    { key: "far", title: "all behind: first event ms", digits: 2 },
    { key: "replayed", title: "all behind: events/s", digits: 0 },
  ],
  async run(stage, { clients, rate, seconds, warmUp, history = 0, behind = 0, rest = 0 }) {
    const filled = history > 0 ? await fillHistory(stage, history, behind) : undefined;
    await setTimeout(rest);
    const { group, measured, metrics } = await steady(
      stage,
      { clients, rate, seconds, warmUp },
      (filled?.last ?? 0) + 1,
    );
    const { last } = measured.result;
    const { reports, ...replay } = filled ? await replayHistory(stage, filled, last) : { reports: [] };
    const cpuPerEvent = measured.cpu / (rate * seconds);
    return { ...metrics, cpuPerEvent, ...replay, ...faults(await group.report(), ...reports) };
  },
};
