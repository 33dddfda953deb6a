/** `npm run bench`: measures Spillway and other servers, one after the other, on this machine. */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { compare } from "./compare.js";
import { stepAside } from "./cores.js";
import { parseFlags, usage } from "./flags.js";
import { checkGoals } from "./goals.js";
import { describeMachine } from "./machine.js";
import { chooseServers, plan } from "./plan.js";
import { toMarkdown } from "./report.js";
import { readResults } from "./results.js";
import { scenarios } from "./scenarios/index.js";
import { checkReader } from "./self-check.js";
import { servers } from "./servers/index.js";
import { comparisonTable } from "./table.js";

const resultsFile = fileURLToPath(new URL("RESULTS.md", import.meta.url));
/** Faults of Spillway, which fail the run. @type {string[]} */
const failures = [];

/** Measures, and writes what there is after each comparison: who ends it early keeps that. @param {import("./flags.js").Flags} flags */
async function measure(flags) {
  checkReader();
  checkGoals();
  stepAside();
  const { present, skipped } = await chooseServers(flags);
  const machine = describeMachine();
  for (const [name, value] of Object.entries(machine)) console.log(`${name}: ${value}`);

  const versions = await Promise.all(present.map(async ({ name, version }) => ({ name, version: await version() })));
  const args = process.argv.slice(2).map((arg) => (/^[\w./-]+$/.test(arg) ? arg : `"${arg}"`));
  // Readers of the results do not need to know where they were written.
  const command = ["npm run bench --", ...args].join(" ").replaceAll(/ --(json|markdown) \S+| --write/g, "");
  const session = { date: new Date().toISOString().slice(0, 10), command };
  const startedAt = performance.now();
  const minutes = () => Math.round((performance.now() - startedAt) / 6000) / 10;
  const measurements = [];
  for (const comparison of plan(flags, present)) {
    console.log(`\n## ${comparison.scenario.name}: ${comparison.title}, after ${minutes()} min`);
    const rows = await compare(comparison, { runs: flags.runs, onFailure: (failure) => failures.push(failure) });
    console.log(`\n${comparisonTable(comparison.scenario, rows)}`);
    measurements.push(...rows);
    const sessions = [{ ...session, minutes: minutes() }];
    await write(flags, { sessions, machine, servers: versions, skipped, measurements });
  }
}

/**
 * @param {import("./flags.js").Flags} flags
 * @param {import("./results.js").Results} results
 */
async function write({ json, markdown, write: keep }, results) {
  if (json !== undefined) await writeFile(json, `${JSON.stringify(results, null, 2)}\n`);
  for (const file of [markdown, keep ? resultsFile : undefined]) {
    if (file !== undefined) await writeFile(file, toMarkdown(results));
  }
}

function list() {
  for (const { name, variants } of scenarios) console.log(`${name}: ${variants.map((each) => each.name).join("; ")}`);
  for (const { name, note } of servers) console.log(`${name}: ${note}`);
}

process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));

try {
  const flags = parseFlags(process.argv.slice(2));
  if (flags.help) console.log(usage);
  else if (flags.list) list();
  else if (flags.merge.length > 0) await write(flags, await readResults(flags.merge));
  else await measure(flags);
} catch (error) {
  failures.push(error instanceof Error ? error.message : String(error));
}
for (const failure of failures) console.error(`FAILED ${failure}`);
process.exit(failures.length > 0 ? 1 : 0);
