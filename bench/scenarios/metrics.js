/** The metrics that all scenarios use. */

/** @typedef {import("../types.d.ts").LoadReport} LoadReport */
/** @typedef {import("../types.d.ts").Measured<unknown>} Measured */
/** @typedef {import("../types.d.ts").Column} Column */

/** How long a server may settle after clients have connected, in ms. */
export const settle = 300;

/** @type {Record<string, Column>} */
export const columns = {
  cpu: { key: "cpu", title: "CPU µs per delivery", digits: 2 },
  rate: { key: "rate", title: "deliveries/s", digits: 0 },
  p50: { key: "p50", title: "p50 ms", digits: 2 },
  p99: { key: "p99", title: "p99 ms", digits: 2 },
  p999: { key: "p999", title: "p99.9 ms", digits: 2 },
  rss: { key: "rss", title: "RSS MiB", digits: 1 },
};

/** The latency columns. */
export const latency = [columns.p50, columns.p99, columns.p999];

/** How long other requests wait for a response. */
export const stallColumns = [
  { key: "stall", title: "longest stall ms", digits: 1 },
  { key: "stallP99", title: "p99 stall ms", digits: 1 },
];

/**
 * CPU per delivery, deliveries per second from the creation of the first event to the last delivery, and memory.
 * @param {Measured} measured
 * @param {LoadReport} report
 * @param {number} startedAt
 */
export function delivery({ cpu, rss, loadBusy }, { received, lastAt }, startedAt) {
  return { cpu: cpu / received, rate: (received / (lastAt - startedAt)) * 1e6, rss: rss / 2 ** 20, loadBusy };
}

/** @param {LoadReport} report */
export function times({ p50, p99, p999, max }) {
  return { p50, p99, p999, max };
}

/** @param {import("../types.d.ts").Stalls | undefined} stalls @returns {import("../types.d.ts").Metrics} */
export function stall(stalls) {
  return stalls === undefined ? {} : { stall: stalls.longest, stallP99: stalls.p99 };
}

/**
 * All violations of a stream's guarantees, over all connections.
 * @param {readonly LoadReport[]} reports
 */
export function faults(...reports) {
  const sum = { lost: 0, duplicates: 0, disordered: 0, refused: 0, closed: 0 };
  for (const report of reports) {
    for (const key of /** @type {(keyof typeof sum)[]} */ (Object.keys(sum))) sum[key] += report[key];
  }
  return sum;
}
