/** The tables. */
import { execFileSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";

/** @typedef {import("./types.d.ts").Metrics} Metrics */

/**
 * @typedef {object} ServerResult
 * @property {string} server
 * @property {readonly Metrics[]} runs
 * @property {Metrics} median
 * @property {string} reason why there are no (more) runs; "" if there is nothing to say
 */

/**
 * @typedef {object} ScenarioResult
 * @property {string} scenario
 * @property {string} variant
 * @property {string} text
 * @property {readonly import("./types.d.ts").Column[]} columns
 * @property {readonly ServerResult[]} servers
 */

/**
 * @typedef {object} Results
 * @property {string} date
 * @property {string} command
 * @property {number} runs
 * @property {Record<string, string>} machine
 * @property {readonly { name: string, note: string, version: string }[]} servers
 * @property {readonly ScenarioResult[]} scenarios
 */

/** Above this the load client or the origin may have been what was measured. */
const busyLimit = 0.9;

/**
 * The machine, in the words of the tables.
 * @param {import("./cores.js").Cores} cores
 * @returns {Record<string, string>}
 */
export function describeMachine(cores) {
  const all = cpus();
  return {
    processor: `${all[0]?.model.trim()}, ${all.length} cores`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${system()}, kernel ${release()}`,
    node: process.version,
    pinning: cores.server === undefined ? "none" : `server on core ${cores.server}, load and origin on ${cores.load}`,
  };
}

function system() {
  try {
    return execFileSync("sh", ["-c", '. /etc/os-release && printf %s "$PRETTY_NAME"'], { encoding: "utf8" });
  } catch {
    return process.platform;
  }
}

/**
 * @param {Results} results
 * @returns {string}
 */
export function toMarkdown({ date, command, runs, machine, servers, scenarios }) {
  const parts = [
    "# Benchmark results",
    "Made by `npm run bench`; [README.md](README.md) says how to read them and how to make your own.",
    table(
      ["", ""],
      [
        ["date", date],
        ["command", `\`${command}\``],
        ["runs of each", `${runs}, in turn; medians`],
        ...Object.entries(machine),
      ],
    ),
    table(
      ["server", "what it is", "version"],
      servers.map(({ name, note, version }) => [name, note, version]),
    ),
    ...scenarios.flatMap(scenarioParts),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** @param {ScenarioResult} result @param {number} index @param {readonly ScenarioResult[]} all */
function scenarioParts(result, index, all) {
  const first = all[index - 1]?.scenario !== result.scenario;
  const heading = first ? [`## ${result.scenario}`, result.text] : [];
  return [...heading, `### ${result.variant}`, scenarioTable(result)];
}

/** @param {ScenarioResult} result */
export function scenarioTable({ columns, servers }) {
  const lead = columns[0];
  const ours = servers[0]?.median[lead?.key ?? ""];
  const head = ["server", ...columns.map(({ title }) => title), `${lead?.title}: × ${servers[0]?.server}`, "faults"];
  const rows = servers.map(({ server, median, runs, reason }) => {
    if (runs.length === 0) return [server, ...columns.map(() => "–"), "–", reason];
    const busy = (median.loadBusy ?? 0) > busyLimit ? " (load side busy)" : "";
    return [
      server,
      ...columns.map(({ key, digits }) => format(median[key], digits)),
      format((median[lead?.key ?? ""] ?? NaN) / (ours ?? NaN), 2),
      faultsOf(runs) + busy,
    ];
  });
  return table(head, rows);
}

/**
 * What was lost and the like over all runs, in words.
 * @param {readonly Metrics[]} runs
 */
export function faultsOf(runs) {
  const names = ["lost", "duplicates", "disordered", "refused", "closed"];
  const sums = names.map((name) => [name, runs.reduce((sum, run) => sum + (run[name] ?? 0), 0)]);
  return (
    sums
      .filter(([, sum]) => sum !== 0)
      .map(([name, sum]) => `${sum} ${name}`)
      .join(", ") || "none"
  );
}

/** @param {number | undefined} value @param {number} digits */
function format(value, digits) {
  if (value === undefined || Number.isNaN(value)) return "–";
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/**
 * @param {readonly string[]} head
 * @param {readonly (readonly string[])[]} rows
 */
function table(head, rows) {
  const lines = [head, head.map((_, index) => (index === 0 ? "---" : "---:")), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
