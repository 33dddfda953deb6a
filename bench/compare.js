/** Measures the rows of one table alternately, several times. */
import { coresFor } from "./cores.js";
import { faultsOf } from "./faults.js";
import { skip } from "./plan.js";
import { onStage } from "./stage.js";
import { medians } from "./stats.js";

/** @typedef {import("./types.d.ts").Metrics} Metrics */
/** @typedef {import("./plan.js").Row} Row */

/**
 * @typedef {object} Attempt
 * @property {Row} row
 * @property {Metrics[]} runs
 * @property {string} reason why there are no (more) runs; "" if there is nothing to say
 */

/**
 * Measures each row as often as its server specifies, or `runs` times. Faults of Spillway are reported to `onFailure`.
 * @param {import("./plan.js").Comparison} comparison
 * @param {object} options
 * @param {number | undefined} options.runs
 * @param {(failure: string) => void} options.onFailure
 * @returns {Promise<import("./results.js").Measurement[]>}
 */
export async function compare({ scenario, rows }, { runs, onFailure }) {
  const attempts = rows.map((row) => ({ row, runs: /** @type {Metrics[]} */ ([]), reason: row.reason }));
  for (const { row } of attempts) if (row.reason !== "") skip(`${row.server.name}, ${row.variant.name}`, row.reason);
  const wanted = attempts.map(({ row }) => runs ?? row.server.runs ?? 3);
  for (let run = 0; run < Math.max(...wanted); run++) {
    for (const [index, attempt] of attempts.entries()) {
      if (attempt.reason === "" && run < (wanted[index] ?? 0)) await measureOnce(scenario, attempt);
    }
  }
  return attempts.map(({ row: { variant, server }, runs: done, reason }) => {
    const faults = faultsOf(done);
    for (const failure of [reason, faults === "none" ? "" : faults]) {
      if (server.ours && failure !== "") onFailure(`${scenario.name}, ${variant.name}: ${server.name} ${failure}`);
    }
    const median = medians(done);
    return { scenario: scenario.name, variant: variant.name, server: server.name, reason, median, runs: done };
  });
}

/**
 * @param {import("./types.d.ts").Scenario} scenario
 * @param {Attempt} attempt
 */
async function measureOnce(scenario, attempt) {
  const { variant, server } = attempt.row;
  const name = scenario.within === undefined ? server.name : `${server.name}, ${variant.name}`;
  try {
    const measured = await onStage(server, variant.numbers, (stage) => scenario.run(stage, variant.numbers));
    const metrics = { contended: Number(coresFor(variant.numbers.cores ?? 1).contended), ...measured };
    attempt.runs.push(metrics);
    const numbers = scenario.columns
      .filter(({ key }) => metrics[key] !== undefined)
      .map(({ key, title, digits }) => `${title} ${metrics[key]?.toFixed(digits)}`);
    console.log(`${name}: ${numbers.join(", ")}, faults ${faultsOf([metrics])}`);
  } catch (error) {
    attempt.reason = `failed: ${error instanceof Error ? error.message.split("\n")[0] : error}`;
    console.error(`!!! ${name} ${attempt.reason}`);
  }
}
