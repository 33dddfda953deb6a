/** The format of `--json` files, and merging several of them. */
import { readFile } from "node:fs/promises";
import { medians } from "./stats.js";

/**
 * One row of a table.
 * @typedef {object} Measurement
 * @property {string} scenario
 * @property {string} variant
 * @property {string} server
 * @property {string} reason why there are no (more) runs; "" if there is nothing to say
 * @property {import("./types.d.ts").Metrics} median
 * @property {readonly import("./types.d.ts").Metrics[]} runs
 */

/**
 * @typedef {object} Results
 * @property {readonly { date: string, command: string, minutes: number }[]} sessions
 * @property {Record<string, string>} machine
 * @property {readonly { name: string, version: string }[]} servers
 * @property {readonly import("./plan.js").Skipped[]} skipped servers that could not run at all
 * @property {readonly Measurement[]} measurements
 */

/** @param {readonly string[]} files */
export async function readResults(files) {
  return merge(await Promise.all(files.map(async (file) => JSON.parse(await readFile(file, "utf8")))));
}

/**
 * Combines all runs of a row that were made on the same machine, and computes the medians of all of them.
 * @param {readonly Results[]} all
 * @returns {Results}
 * @throws {Error} if machines differ
 */
function merge(all) {
  const machines = new Set(all.map(({ machine }) => JSON.stringify(machine)));
  if (machines.size > 1) throw new Error(`these were made on different machines: ${[...machines].join(" ")}`);
  const servers = groups(
    all.flatMap((each) => each.servers),
    ({ name }) => name,
  ).map((same) => ({ name: same[0]?.name ?? "", version: distinct(same.map(({ version }) => version)).join("; ") }));
  const present = new Set(servers.map(({ name }) => name));
  const skipped = groups(
    all.flatMap((each) => each.skipped),
    ({ server }) => server,
  ).flatMap((same) => same.slice(0, 1));
  return {
    sessions: all.flatMap(({ sessions }) => sessions),
    machine: all[0]?.machine ?? {},
    servers,
    skipped: skipped.filter(({ server }) => !present.has(server)),
    measurements: groups(
      all.flatMap((each) => each.measurements),
      ({ scenario, variant, server }) => JSON.stringify([scenario, variant, server]),
    ).map(mergeRow),
  };
}

/**
 * @param {readonly Measurement[]} same
 * @returns {Measurement}
 */
function mergeRow(same) {
  const { scenario, variant, server, reason } = same.find((each) => each.runs.length > 0) ?? same[0];
  const runs = same.flatMap((each) => each.runs);
  return { scenario, variant, server, reason, median: medians(runs), runs };
}

/**
 * Groups items by key, in the order of first occurrence.
 * @template T
 * @param {readonly T[]} items
 * @param {(item: T) => string} keyOf
 * @returns {T[][]}
 */
function groups(items, keyOf) {
  /** @type {Map<string, T[]>} */
  const found = new Map();
  for (const item of items) found.set(keyOf(item), [...(found.get(keyOf(item)) ?? []), item]);
  return [...found.values()];
}

/** @param {readonly string[]} values */
function distinct(values) {
  return [...new Set(values)];
}
