/** Selects the measurements: the variants of the scenarios, and the servers for each. */
import { execFileSync } from "node:child_process";
import { scenarios } from "./scenarios/index.js";
import { servers } from "./servers/index.js";

/** @typedef {import("./types.d.ts").Server} Server */
/** @typedef {import("./types.d.ts").Scenario} Scenario */
/** @typedef {import("./types.d.ts").Variant} Variant */

/** @typedef {{ scenario: Scenario, variant: Variant }} Entry */

/**
 * One measurement of a comparison, which is repeated. `reason` is why it is not possible, or "".
 * @typedef {{ variant: Variant, server: Server, reason: string }} Row
 */

/**
 * The content of one table: the servers of one variant, or the variants of one server. `title` is its heading.
 * @typedef {{ scenario: Scenario, title: string, rows: readonly Row[] }} Comparison
 */

/** Open files of a server in addition to its connections, with a reserve. */
const spareFiles = 200;

/**
 * The measurements in the order of the tables.
 * @param {import("./flags.js").Flags} flags
 * @param {readonly Server[]} present
 * @returns {Comparison[]}
 */
export function plan(flags, present) {
  const entries = chooseVariants(flags);
  const comparisons = scenarios.flatMap((scenario) => {
    const variants = entries.filter((entry) => entry.scenario === scenario).map(({ variant }) => variant);
    const comparable = present.filter((server) => isComparable(server, scenario));
    const rows = (/** @type {Variant} */ variant, /** @type {readonly Server[]} */ those) =>
      those.map((server) => ({ variant, server, reason: unfit(server, scenario, variant) }));
    const { within } = scenario;
    if (within === undefined)
      return variants.map((variant) => ({ scenario, title: variant.name, rows: rows(variant, comparable) }));
    const one = present.filter(({ name }) => name === within);
    if (one.length === 0 && variants.length > 0) skip(scenario.name, `it is about ${within} alone`);
    return [{ scenario, title: within, rows: variants.flatMap((variant) => rows(variant, one)) }];
  });
  return comparisons.filter(({ rows }) => rows.length > 0);
}

/**
 * Whether a server has a row in a scenario's tables, if only one that says what it lacks.
 * @param {Server} server
 * @param {Scenario} scenario
 */
function isComparable({ features, only }, { needs }) {
  if (features.includes("nodes") !== needs.includes("nodes")) return false;
  if (needs.includes("routes")) return features.includes("routes");
  return only?.includes("proxy") !== true;
}

/** @returns {Entry[]} */
function chooseVariants(/** @type {import("./flags.js").Flags} */ { scenarios: wanted, small }) {
  const all = scenarios.flatMap((scenario) => {
    return (small ? scenario.small : scenario.variants).map((variant) => ({ scenario, variant }));
  });
  const matches = (/** @type {string} */ text) => {
    const named = all.filter(({ scenario }) => scenario.name === text);
    return named.length > 0
      ? named
      : all.filter(({ scenario, variant }) => `${scenario.name} ${variant.name}`.includes(text));
  };
  for (const text of wanted) if (matches(text).length === 0) throw new Error(`no scenario is called "${text}"`);
  const chosen = new Set(wanted.flatMap(matches));
  return wanted.length === 0 ? all : all.filter((entry) => chosen.has(entry));
}

/** @typedef {{ server: string, reason: string }} Skipped */

/**
 * The requested servers that can run on this machine, and those that cannot, for which it also prints a notice.
 * @returns {Promise<{ present: readonly Server[], skipped: readonly Skipped[] }>}
 */
export async function chooseServers(/** @type {import("./flags.js").Flags} */ { servers: wanted, small }) {
  for (const name of wanted) {
    if (name !== "all" && !servers.some((server) => server.name === name))
      throw new Error(`no server is called "${name}"`);
  }
  const all = wanted.includes("all") || (wanted.length === 0 && !small);
  const chosen = servers.filter(({ name, ours }) => all || (wanted.length === 0 ? ours : wanted.includes(name)));
  const present = [];
  const skipped = [];
  for (const server of chosen) {
    const reason = await server.missing();
    if (reason === undefined) present.push(server);
    else {
      skip(server.name, reason);
      skipped.push({ server: server.name, reason });
    }
  }
  return { present, skipped };
}

/**
 * Why a server cannot be used in a scenario, or "".
 * @param {Server} server
 * @param {Scenario} scenario
 * @param {Variant} variant
 */
function unfit(server, { name, needs }, { numbers }) {
  if (server.only && !server.only.includes(name)) return "not comparable here";
  const lacking = needs.filter((feature) => !server.features.includes(feature));
  if (lacking.length > 0) return `has no ${lacking.join(", ")}`;
  const files = (numbers.clients ?? 0) * server.filesPerClient + spareFiles;
  return files > openFiles ? `needs ${files} open files, ${openFiles} are allowed (ulimit -n)` : "";
}

/** Prominent, so that nobody mistakes an incomplete table for a complete one. */
export function skip(/** @type {string} */ name, /** @type {string} */ reason) {
  console.error(`!!! SKIPPED ${name}: ${reason}`);
}

const openFiles = openFilesLimit();

function openFilesLimit() {
  const limit = execFileSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).trim();
  return limit === "unlimited" ? Infinity : Number(limit);
}
