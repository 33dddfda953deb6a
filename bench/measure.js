/** What the operating system says of a server's processes. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** @typedef {{ cpu: number, rss: number }} Usage CPU time in µs and resident memory in bytes */

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
 * The CPU time (user and system, all threads) and the memory of a process and its children, added up.
 * @param {number} pid
 * @returns {Usage}
 */
export function usageOf(pid) {
  const total = { cpu: 0, rss: 0 };
  for (const each of processTree(pid)) {
    const { cpu, rss } = hasProc ? fromProc(each) : fromPs(each);
    total.cpu += cpu;
    total.rss += rss;
  }
  return total;
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

/** @param {number} pid */
function fromProc(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in brackets, may hold spaces; behind it utime and stime are the 12th and 13th field.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const kib = /^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0;
    return { cpu: ((Number(fields[11]) + Number(fields[12])) * 1e6) / ticksPerSecond, rss: Number(kib) * 1024 };
  } catch {
    return { cpu: 0, rss: 0 };
  }
}

/** @param {number} pid */
function fromPs(pid) {
  try {
    const output = execFileSync("ps", ["-o", "rss=,time=", "-p", String(pid)], { encoding: "utf8" });
    const [kib = "0", time = "0"] = output.trim().split(/\s+/);
    const seconds = time.split(/[:-]/).reduce((sum, part) => sum * 60 + Number(part), 0);
    return { cpu: seconds * 1e6, rss: Number(kib) * 1024 };
  } catch {
    return { cpu: 0, rss: 0 };
  }
}

/** @param {string} text */
function numbers(text) {
  return text.split(/\s+/).filter(Boolean).map(Number);
}
