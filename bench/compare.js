/** One variant of a scenario, measured for all servers: each in turn, then all again. */
import { skip, unfit } from "./plan.js";
import { faultsOf } from "./report.js";
import { onStage } from "./stage.js";
import { medians } from "./stats.js";

/** @typedef {import("./types.d.ts").Metrics} Metrics */
/** @typedef {import("./types.d.ts").Server} Server */

/**
 * @typedef {object} Attempt
 * @property {Server} server
 * @property {Metrics[]} runs
 * @property {string | undefined} reason why there are no (more) runs
 */

/**
 * Measures so many runs of each server. What goes wrong with one of ours is told to `onFailure`.
 * @param {import("./plan.js").Entry} entry
 * @param {readonly Server[]} servers
 * @param {object} options
 * @param {number} options.runs
 * @param {import("./cores.js").Cores} options.cores
 * @param {(failure: string) => void} options.onFailure
 * @returns {Promise<import("./report.js").ServerResult[]>}
 */
export async function compare(entry, servers, { runs, cores, onFailure }) {
  const attempts = servers.map((server) => attempt(entry, server));
  for (let run = 0; run < runs; run++) {
    for (const each of attempts) {
      if (each.reason === undefined) await measureOnce(entry, each, cores);
    }
  }
  return attempts.map(({ server, runs: done, reason = "" }) => {
    const faults = faultsOf(done);
    if (server.ours && reason !== "") onFailure(`${entry.scenario.name}: ${server.name} ${reason}`);
    if (server.ours && faults !== "none") onFailure(`${entry.scenario.name}: ${server.name} ${faults}`);
    return { server: server.name, runs: done, median: medians(done), reason };
  });
}

/**
 * @param {import("./plan.js").Entry} entry
 * @param {Server} server
 * @returns {Attempt}
 */
function attempt({ scenario, variant }, server) {
  const reason = unfit(server, scenario, variant);
  if (reason !== undefined) skip(server.name, reason);
  return { server, runs: [], reason };
}

/**
 * @param {import("./plan.js").Entry} entry
 * @param {Attempt} tried
 * @param {import("./cores.js").Cores} cores
 */
async function measureOnce({ scenario, variant }, tried, cores) {
  const { server, runs } = tried;
  try {
    const metrics = await onStage(server, variant.numbers, cores, (stage) => scenario.run(stage, variant.numbers));
    runs.push(metrics);
    const numbers = scenario.columns.map(({ key, title, digits }) => `${title} ${metrics[key]?.toFixed(digits)}`);
    console.log(`${server.name}: ${numbers.join(", ")}, faults ${faultsOf([metrics])}`);
  } catch (error) {
    tried.reason = `failed: ${error instanceof Error ? error.message.split("\n")[0] : error}`;
    console.error(`!!! ${server.name} ${tried.reason}`);
  }
}
