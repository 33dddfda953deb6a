/** What the operating system says of a server's processes. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** @typedef {{ pid: number, cpu: number, rss: number }} Usage CPU time in µs and resident memory in bytes */

const hasProc = existsSync("/proc/self/stat");
const ticksPerSecond = hasProc ? Number(execFileSync("getconf", ["CLK_TCK"])) : 0;

/**
 * A process and all that descend from it.
 * @param {number} pid
 * @returns {number[]}
 */
export function processTree(pid) {
  return [pid, ...childrenOf(pid).flatMap(processTree)];
}

/**
 * The CPU time (user and system, all threads) and the memory of a process and of each of its children.
 * @param {number} pid
 * @returns {Usage[]}
 */
export function usageOfEach(pid) {
  return processTree(pid).map(hasProc ? fromProc : fromPs);
}

/**
 * The same, added up.
 * @param {number} pid
 */
export function usageOf(pid) {
  const all = usageOfEach(pid);
  return { cpu: sum(all.map(({ cpu }) => cpu)), rss: sum(all.map(({ rss }) => rss)) };
}

/**
 * The memory of a process and its children in bytes, what several of them share counted once; like `rss` where the system does not
 * tell. It takes the kernel milliseconds: not for a moment that is being measured.
 * @param {number} pid
 */
export function pssOf(pid) {
  try {
    return sum(processTree(pid).map((each) => field(readFileSync(`/proc/${each}/smaps_rollup`, "utf8"), "Pss")));
  } catch {
    return usageOf(pid).rss;
  }
}

/** @param {number} pid */
function childrenOf(pid) {
  try {
    if (hasProc) return numbers(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8"));
    return numbers(execFileSync("pgrep", ["-P", String(pid)], { encoding: "utf8" }));
  } catch {
    return [];
  }
}

/** @param {number} pid @returns {Usage} */
function fromProc(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in brackets, may hold spaces; behind it utime and stime are the 12th and 13th field.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const rss = field(readFileSync(`/proc/${pid}/status`, "utf8"), "VmRSS");
    return { pid, cpu: ((Number(fields[11]) + Number(fields[12])) * 1e6) / ticksPerSecond, rss };
  } catch {
    return { pid, cpu: 0, rss: 0 };
  }
}

/** @param {number} pid @returns {Usage} */
function fromPs(pid) {
  try {
    const output = execFileSync("ps", ["-o", "rss=,time=", "-p", String(pid)], { encoding: "utf8" });
    const [kib = "0", time = "0"] = output.trim().split(/\s+/);
    const seconds = time.split(/[:-]/).reduce((total, part) => total * 60 + Number(part), 0);
    return { pid, cpu: seconds * 1e6, rss: Number(kib) * 1024 };
  } catch {
    return { pid, cpu: 0, rss: 0 };
  }
}

/**
 * A line of /proc that counts kB, in bytes.
 * @param {string} text
 * @param {string} name
 */
function field(text, name) {
  return Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(text)?.[1] ?? 0) * 1024;
}

/** @param {string} text */
function numbers(text) {
  return text.split(/\s+/).filter(Boolean).map(Number);
}

/** @param {readonly number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
