/** What Spillway is to reach, held against what was measured. */
import { scenarios } from "./scenarios/index.js";
import { paced } from "./scenarios/paced.js";
import { format, table } from "./table.js";

/** @typedef {import("./results.js").Measurement} Measurement */

/**
 * @typedef {object} Goal
 * @property {string} name
 * @property {[scenario: string, variant: string, key: string]} what a number of the tables
 * @property {string} [against] divides it by that of this server, or
 * @property {string} [variant] by that of this variant
 * @property {number} [most]
 * @property {number} [least]
 * @property {number} digits
 */

const ours = "spillway";

/** @param {string} key @returns {Goal["what"]} */
const relayed = (key) => ["proxy", "1,000 streams × 40/s", key];

/** @type {readonly Goal[]} */
const goals = [
  ...["nchan", "c-send"].flatMap((against) =>
    paced.variants.map(({ name }) => ({
      name: `CPU per delivery, ${name}, × ${against}`,
      what: /** @type {Goal["what"]} */ (["paced", name, "cpu"]),
      against,
      most: against === "nchan" ? 1 : 1.2,
      digits: 2,
    })),
  ),
  ...paced.variants.map(({ name }) => ({
    name: `p99 of the latency, ${name}, × nchan`,
    what: /** @type {Goal["what"]} */ (["paced", name, "p99"]),
    against: "nchan",
    most: 1,
    digits: 2,
  })),
  {
    name: "longest stall at 10,000 clients, ms",
    what: ["paced", "10,000 clients × 5/s", "stall"],
    most: 50,
    digits: 1,
  },
  {
    name: "deliveries/s of a burst",
    what: ["burst", "2,000 events to 1,000 clients", "rate"],
    least: 1_500_000,
    digits: 0,
  },
  {
    name: "deliveries/s of a burst, × nchan",
    what: ["burst", "2,000 events to 1,000 clients", "rate"],
    against: "nchan",
    least: 20,
    digits: 1,
  },
  {
    name: "kB per idle connection, at 10,000",
    what: ["idle-memory", "10,000 connections", "perConnection"],
    most: 8,
    digits: 2,
  },
  ...[
    ["http-proxy-middleware", 0.7],
    ["nginx-proxy", 1.3],
  ].map(([against, most]) => ({
    name: `CPU per relayed event, × ${against}`,
    what: relayed("cpu"),
    against: String(against),
    most: Number(most),
    digits: 2,
  })),
  {
    name: "p99 added to relayed events, × nginx-proxy",
    what: relayed("addedP99"),
    against: "nginx-proxy",
    most: 1,
    digits: 2,
  },
  {
    name: "kB per idle relayed stream",
    what: ["proxy", "4,000 idle streams", "perConnection"],
    most: 14,
    digits: 2,
  },
  {
    name: "short requests/s, × httpxy",
    what: ["proxy", "short requests, 64 connections", "rate"],
    against: "httpxy",
    least: 1.5,
    digits: 2,
  },
  { name: "connections/s", what: ["connect-rate", "10,000 clients, live 5/s", "connects"], least: 6000, digits: 0 },
  {
    name: "replayed events/s",
    what: ["replay-storm", "1,000 clients, 5,000 events behind, live 40/s to 20 others", "replayed"],
    least: 1_000_000,
    digits: 0,
  },
  {
    name: "p99 ms of live events meanwhile",
    what: ["replay-storm", "1,000 clients, 5,000 events behind, live 40/s to 20 others", "p99"],
    most: 100,
    digits: 1,
  },
  { name: "stored events/s, no clients", what: ["ingest", "no clients", "stored"], least: 50_000, digits: 0 },
  {
    name: "deliveries/s of 2 workers, × one process",
    what: ["workers-fan-out", "2 workers", "rate"],
    variant: "one process",
    least: 1.7,
    digits: 2,
  },
];

/** @throws {Error} if a goal is about something that is never measured */
export function checkGoals() {
  for (const { name, what } of goals) {
    const [scenario, variant, key] = what;
    const found = scenarios.find((each) => each.name === scenario);
    const known =
      found?.variants.some((each) => each.name === variant) && found.columns.some((each) => each.key === key);
    if (!known) throw new Error(`nothing measures the goal "${name}"`);
  }
}

/**
 * Goals, what was measured, and whether that is enough.
 * @param {readonly Measurement[]} measurements
 */
export function goalsTable(measurements) {
  const rows = goals.map((goal) => {
    const { name, most, least, digits } = goal;
    const { value, contended } = measuredOf(goal, measurements);
    const limit = most === undefined ? `at least ${format(least, digits)}` : `at most ${format(most, digits)}`;
    return [name, limit, format(value, digits), verdict(value, contended, goal)];
  });
  return table(["goal", "limit", "measured", ""], rows);
}

/**
 * @param {Goal} goal
 * @param {readonly Measurement[]} measurements
 */
function measuredOf({ what: [scenario, own, key], against, variant }, measurements) {
  const find = (/** @type {string} */ named, /** @type {string} */ server) =>
    measurements.find((each) => each.scenario === scenario && each.variant === named && each.server === server)?.median;
  const mine = find(own, ours);
  const divisor = against === undefined && variant === undefined ? { [key]: 1 } : find(variant ?? own, against ?? ours);
  return { value: (mine?.[key] ?? NaN) / (divisor?.[key] ?? NaN), contended: mine?.contended === 1 };
}

/**
 * @param {number} value
 * @param {boolean} contended
 * @param {Goal} goal
 */
function verdict(value, contended, { most = Infinity, least = -Infinity }) {
  if (Number.isNaN(value)) return "not measured";
  if (value <= most && value >= least) return "met";
  return contended ? "cannot be told here: cores shared with the load" : "**not met**";
}
