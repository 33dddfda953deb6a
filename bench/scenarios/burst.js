import { atOnce } from "./at-once.js";
import { columns, latency } from "./metrics.js";

/** @type {import("../types.d.ts").Scenario} */
export const burst = {
  name: "burst",
  text: "Many events at once to everyone. The time runs from the first event's making to the last delivery.",
  needs: [],
  variants: [{ name: "2,000 events to 1,000 clients", numbers: { clients: 1000, events: 2000 } }],
  small: [{ name: "200 events to 20 clients", numbers: { clients: 20, events: 200 } }],
  columns: [columns.rate, columns.cpu, ...latency, columns.rss],
  run: (stage, { clients, events }) => atOnce(stage, { clients, events }),
};
