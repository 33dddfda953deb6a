/** `npm run bench`: measures Spillway and its peers, one after the other, on this machine. */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { compare } from "./compare.js";
import { chooseCores } from "./cores.js";
import { parseFlags, usage } from "./flags.js";
import { chooseServers, chooseVariants } from "./plan.js";
import { describeMachine, scenarioTable, toMarkdown } from "./report.js";
import { scenarios } from "./scenarios/index.js";
import { checkReader } from "./self-check.js";
import { servers } from "./servers/index.js";

const resultsFile = fileURLToPath(new URL("RESULTS.md", import.meta.url));
const cores = chooseCores();
/** Faults of Spillway, which fail the run. @type {string[]} */
const failures = [];

/** @param {import("./flags.js").Flags} flags */
async function main(flags) {
  checkReader();
  const entries = chooseVariants(flags);
  const chosen = await chooseServers(flags);
  const machine = describeMachine(cores);
  for (const [name, value] of Object.entries(machine)) console.log(`${name}: ${value}`);

  /** @type {import("./report.js").ScenarioResult[]} */
  const results = [];
  for (const entry of entries) {
    const { name, text, columns } = entry.scenario;
    console.log(`\n## ${name}: ${entry.variant.name}`);
    const measured = await compare(entry, chosen, {
      runs: flags.runs,
      cores,
      onFailure: (failure) => failures.push(failure),
    });
    const result = { scenario: name, variant: entry.variant.name, text, columns, servers: measured };
    console.log(`\n${scenarioTable(result)}`);
    results.push(result);
  }
  await write(flags, {
    date: new Date().toISOString().slice(0, 10),
    command: ["npm run bench --", ...process.argv.slice(2)].join(" "),
    runs: flags.runs,
    machine,
    servers: await Promise.all(
      chosen.map(async ({ name, note, version }) => ({ name, note, version: await version() })),
    ),
    scenarios: results,
  });
}

/**
 * @param {import("./flags.js").Flags} flags
 * @param {import("./report.js").Results} results
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
  else await main(flags);
} catch (error) {
  failures.push(error instanceof Error ? error.message : String(error));
}
for (const failure of failures) console.error(`FAILED ${failure}`);
process.exit(failures.length > 0 ? 1 : 0);
