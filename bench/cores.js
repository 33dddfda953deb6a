/** Assigns the cores: the server gets its own if the machine has enough. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";

/**
 * @typedef {object} Cores
 * @property {string | undefined} server the cores the server runs on, as `taskset -c` takes them; undefined: not pinned
 * @property {string | undefined} load the cores of the load client and the origin
 * @property {number} loadCount how many those are
 * @property {boolean} contended whether the load client and the origin have no core that the server leaves alone
 */

const allowed = hasTaskset() ? allowedCores() : [];

/**
 * Gives the server `count` cores and the others to the load. If none are left, all processes share all cores.
 * @param {number} count
 * @returns {Cores}
 */
export function coresFor(count) {
  if (allowed.length === 0) return { server: undefined, load: undefined, loadCount: cpus().length, contended: true };
  const contended = allowed.length <= count;
  const server = contended ? allowed : allowed.slice(-count);
  const load = contended ? allowed : allowed.slice(0, -count);
  return { server: server.join(","), load: load.join(","), loadCount: load.length, contended };
}

/** Moves this process away from the server's core. */
export function stepAside() {
  const { load } = coresFor(1);
  if (load !== undefined) spawnSync("taskset", ["-cp", load, String(process.pid)]);
}

/** The cores that this process may use, from `Cpus_allowed_list: 0-3,6`; empty if the platform does not report them. */
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
