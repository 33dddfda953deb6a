/** Generates RESULTS.md. */
import { goalsTable } from "./goals.js";
import { scenarios } from "./scenarios/index.js";
import { servers as knownServers } from "./servers/index.js";
import { comparisonTable, table } from "./table.js";

/** @typedef {import("./results.js").Measurement} Measurement */
/** @typedef {import("./results.js").Results} Results */

/**
 * @param {Results} results
 * @returns {string}
 */
export function toMarkdown({ sessions, machine, servers, skipped, measurements }) {
  const parts = [
    "# Benchmark results",
    "Made by `npm run bench`; [README.md](README.md) says how to read them and how to make your own. Figures are medians of the runs.",
    ...skipped.map(({ server, reason }) => `**${server} was skipped: ${reason}.**`),
    ...notMeasured(measurements),
    "## Goals",
    "Computed from the tables below.",
    goalsTable(measurements),
    "## Made with",
    table(["", ""], Object.entries(machine)),
    table(
      ["server", "what it is", "version"],
      knownServers.flatMap(({ name, note }) => {
        const found = servers.find((each) => each.name === name);
        return found ? [[name, note, found.version]] : [];
      }),
    ),
    table(
      ["date", "command", "minutes"],
      sessions.map(({ date, command, minutes }) => [date, `\`${command}\``, String(minutes)]),
    ),
    ...scenarios.flatMap((scenario) => scenarioParts(scenario, measurements)),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** Prominent, so that nobody mistakes partial results for complete ones. */
function notMeasured(/** @type {readonly Measurement[]} */ measurements) {
  const measured = measurements.filter(({ runs }) => runs.length > 0);
  const lines = scenarios.flatMap(({ name, variants }) => {
    const missing = variants.filter(
      (each) => !measured.some((row) => row.scenario === name && row.variant === each.name),
    );
    return missing.length === 0 ? [] : [`- ${name}: ${missing.map((each) => each.name).join("; ")}`];
  });
  return lines.length === 0 ? [] : [`**Not measured:**\n\n${lines.join("\n")}`];
}

/**
 * @param {import("./types.d.ts").Scenario} scenario
 * @param {readonly Measurement[]} measurements
 */
function scenarioParts(scenario, measurements) {
  const { name, text, within, variants, small } = scenario;
  const rowsOf = (/** @type {string} */ variant) => {
    const own = measurements.filter((row) => row.scenario === name && row.variant === variant);
    return knownServers.flatMap((server) => own.filter((row) => row.server === server.name));
  };
  const all = [...variants, ...small].map((variant) => ({ title: variant.name, rows: rowsOf(variant.name) }));
  const tables =
    within === undefined
      ? all.map(({ title, rows }) => ({ title: `### ${title}\n\n`, rows }))
      : [{ title: "", rows: all.flatMap(({ rows }) => rows) }];
  const shown = tables.filter(({ rows }) => rows.length > 0);
  if (shown.length === 0) return [];
  const command = `\`npm run bench -- --scenario ${name}\``;
  return [`## ${name}`, text, command, ...shown.map(({ title, rows }) => title + comparisonTable(scenario, rows))];
}
