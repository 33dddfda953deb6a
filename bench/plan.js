/** What is to be measured: which variants of which scenarios, and which servers in each. */
import { execFileSync } from "node:child_process";
import { scenarios } from "./scenarios/index.js";
import { servers } from "./servers/index.js";

/** @typedef {import("./types.d.ts").Server} Server */
/** @typedef {import("./types.d.ts").Scenario} Scenario */
/** @typedef {import("./types.d.ts").Variant} Variant */

/** @typedef {{ scenario: Scenario, variant: Variant }} Entry */

/** Files a server has open besides its connections, and some to spare. */
const spareFiles = 200;

/** @returns {Entry[]} */
export function chooseVariants(/** @type {import("./flags.js").Flags} */ { scenarios: wanted, small }) {
  const all = scenarios.flatMap((scenario) => {
    return (small ? scenario.small : scenario.variants).map((variant) => ({ scenario, variant }));
  });
  const matches = (/** @type {string} */ text) =>
    all.filter(({ scenario, variant }) => scenario.name === text || `${scenario.name} ${variant.name}`.includes(text));
  for (const text of wanted) if (matches(text).length === 0) throw new Error(`no scenario is called "${text}"`);
  const chosen = new Set(wanted.flatMap(matches));
  return wanted.length === 0 ? all : all.filter((entry) => chosen.has(entry));
}

/**
 * The servers that were asked for and can run here; says loudly which cannot.
 * @returns {Promise<Server[]>}
 */
export async function chooseServers(/** @type {import("./flags.js").Flags} */ { servers: wanted, small }) {
  for (const name of wanted) {
    if (name !== "all" && !servers.some((server) => server.name === name))
      throw new Error(`no server is called "${name}"`);
  }
  const all = wanted.includes("all") || (wanted.length === 0 && !small);
  const chosen = servers.filter(({ name, ours }) => all || (wanted.length === 0 ? ours : wanted.includes(name)));
  const present = [];
  for (const server of chosen) {
    const reason = await server.missing();
    if (reason === undefined) present.push(server);
    else if (server.ours) throw new Error(`${server.name}: ${reason}`);
    else skip(server.name, reason);
  }
  return present;
}

/**
 * Why a server has no place in a scenario; undefined if it has.
 * @param {Server} server
 * @param {Scenario} scenario
 * @param {Variant} variant
 */
export function unfit(server, { name, needs }, { numbers }) {
  if (server.only && !server.only.includes(name)) return "not comparable here";
  const lacking = needs.filter((feature) => !server.features.includes(feature));
  if (lacking.length > 0) return `has no ${lacking.join(", ")}`;
  const files = (numbers.clients ?? 0) * server.filesPerClient + spareFiles;
  return files > openFiles ? `needs ${files} open files, ${openFiles} are allowed (ulimit -n)` : undefined;
}

/** Loud, so that nobody takes a short table for a complete one. */
export function skip(/** @type {string} */ name, /** @type {string} */ reason) {
  console.error(`!!! SKIPPED ${name}: ${reason}`);
}

const openFiles = openFilesLimit();

function openFilesLimit() {
  const limit = execFileSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).trim();
  return limit === "unlimited" ? Infinity : Number(limit);
}
