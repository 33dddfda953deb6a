/** Measurements of a server's processes by the operating system. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

/** @typedef {{ pid: number, cpu: number, rss: number }} Usage CPU time in µs and resident memory in bytes */

const hasProc = existsSync("/proc/self/stat");
const ticksPerSecond = hasProc ? Number(execFileSync("getconf", ["CLK_TCK"])) : 0;

/**
 * A process and all its descendants.
 * @param {number} pid
 * @returns {number[]}
 */
export function processTree(pid) {
  return [pid, ...childrenOf(pid).flatMap(processTree)];
}

/**
 * The CPU time (user and system, all threads) and memory of a process and each of its children.
 * @param {number} pid
 * @returns {Usage[]}
 */
export function usageOfEach(pid) {
  return processTree(pid).map(hasProc ? fromProc : fromPs);
}

/**
 * The same as a total.
 * @param {number} pid
 */
export function usageOf(pid) {
  const all = usageOfEach(pid);
  return { cpu: sum(all.map(({ cpu }) => cpu)), rss: sum(all.map(({ rss }) => rss)) };
}

/**
 * The memory of a process and its children in bytes, with shared memory counted once; the same as `rss` if the system does not
 * report it. Takes the kernel milliseconds, so do not call it during a measurement.
 * @param {number} pid
 */
export function pssOf(pid) {
  try {
    return sum(processTree(pid).map((each) => field(readFileSync(`/proc/${each}/smaps_rollup`, "utf8"), "Pss")));
  } catch {
    return usageOf(pid).rss;
  }
}

/**
 * The process on this machine that listens on a port; undefined if it is not visible.
 * @param {number} port
 */
export function listenerOf(port) {
  const address = new RegExp(`^ *\\d+: \\w+:${port.toString(16).toUpperCase().padStart(4, "0")} \\w+:0000 0A`);
  try {
    const lines = ["tcp", "tcp6"].flatMap((name) => readFileSync(`/proc/net/${name}`, "utf8").split("\n"));
    const inodes = lines.filter((line) => address.test(line)).map((line) => line.trim().split(/\s+/)[9]);
    const sockets = new Set(inodes.map((inode) => `socket:[${inode}]`));
    const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
    return pids.find((pid) => openFilesOf(pid).some((file) => sockets.has(file)));
  } catch {
    return undefined;
  }
}

/** What a process has open, as far as this one may know. @param {number} pid */
function openFilesOf(pid) {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).map((name) => readlinkSync(`${folder}/${name}`));
  } catch {
    return [];
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
    // The name in parentheses may contain spaces. After it, fields 12 to 15 are utime and stime, of the process and its ended children.
    const times = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .slice(11, 15)
      .map(Number);
    const rss = field(readFileSync(`/proc/${pid}/status`, "utf8"), "VmRSS");
    return { pid, cpu: (sum(times) * 1e6) / ticksPerSecond, rss };
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
 * The value of a line of /proc in kB, in bytes.
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
