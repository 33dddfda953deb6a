/** Which cores there are for what: the server gets one of its own where the platform allows. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * @typedef {object} Cores
 * @property {string | undefined} server the core the server runs on, as `taskset -c` takes it; undefined: not pinned
 * @property {string | undefined} load the cores of the load client and the origin
 * @property {number} loadCount how many those are
 */

/**
 * Chooses, and moves this process off the server's core.
 * @returns {Cores}
 */
export function chooseCores() {
  const allowed = allowedCores();
  const server = allowed.at(-1);
  if (server === undefined || allowed.length < 2 || !hasTaskset()) {
    return { server: undefined, load: undefined, loadCount: Math.max(1, allowed.length) };
  }
  const load = allowed.slice(0, -1).join(",");
  spawnSync("taskset", ["-cp", load, String(process.pid)]);
  return { server: String(server), load, loadCount: allowed.length - 1 };
}

/** The cores this process may use, from `Cpus_allowed_list: 0-3,6`; empty where the platform does not tell. */
function allowedCores() {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
    return list.split(",").flatMap((range) => {
      const [first = 0, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
  } catch {
    return [];
  }
}

function hasTaskset() {
  return spawnSync("taskset", ["-V"]).status === 0;
}
