/** The npm packages of the peers; they are in bench/node_modules, if anywhere. */
import { createRequire } from "node:module";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startProgram } from "../processes.js";

const require = createRequire(import.meta.url);

/**
 * Why a package cannot be used here; undefined if it can.
 * @param {string} name
 */
export function missingPackage(name) {
  return findManifest(name) ? undefined : `the package ${name} is not installed: npm ci --prefix bench`;
}

/**
 * A package's name and version.
 * @param {string} name
 */
export function packageVersion(name) {
  return `${name} ${findManifest(name)?.version ?? "?"} on Node.js ${process.version.slice(1)}`;
}

/** @param {string} name @returns {{ version: string } | undefined} */
function findManifest(name) {
  const folders = require.resolve.paths(name) ?? [];
  const found = folders.map((folder) => join(folder, name, "package.json")).find((file) => existsSync(file));
  return found === undefined ? undefined : JSON.parse(readFileSync(found, "utf8"));
}

/**
 * Starts a program of bench/samples. It prints its URL once it is ready.
 * @param {string} name
 * @param {import("../types.d.ts").StartContext} context
 * @returns {Promise<import("../types.d.ts").Running>}
 */
export async function startSample(name, { origin, cpus }) {
  const script = join(dirname(fileURLToPath(import.meta.url)), "..", "samples", `${name}.js`);
  const program = await startProgram(process.execPath, [script, origin], {
    cpus,
    ready: (line) => /^http:\/\/\S+$/.exec(line)?.[0],
  });
  return {
    pid: program.pid,
    url: program.url,
    path: (channel) => (channel === "" ? "/events" : `/events?channel=${channel}`),
    health: "/healthz",
    stop: program.stop,
  };
}
