import { readFileSync, statSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { watchLateness } from "../util/lateness.ts";

/** What a process uses. Times in seconds, sizes in bytes. */
export interface ProcessStats {
  /** When it was started, since 1970. */
  readonly startedAt: number;
  readonly cpuUser: number;
  readonly cpuSystem: number;
  readonly resident: number;
  readonly heapUsed: number;
  readonly heapTotal: number;
  /** Buffers and what else V8 holds outside of its heap. */
  readonly external: number;
  /** Open file descriptors; `undefined` where the system does not tell. */
  readonly openFiles: number | undefined;
  /** How many it may open. */
  readonly maxFiles: number | undefined;
  /** Of request bodies that are being read, or whose events are being stored. */
  readonly bodies: number;
  /** The longest that the event loop was late in the last 15 to 20 seconds. */
  readonly loopLag: number;
  /** How long the event loop did something, ever. */
  readonly loopActive: number;
}

/** Watches the process that it is made in. */
export interface ProcessMonitor {
  stats(): ProcessStats;
  /** Watches no more. */
  stop(): void;
}

/** The time over which a longest delay is found, in ms, and how many of those that are over count still. */
const window = 5000;
const windows = 3;

/** Starts to watch; keeps no process alive. `bodies` is what request bodies take here. */
export function createProcessMonitor(bodies: () => number = () => 0): ProcessMonitor {
  let longest = 0;
  let before: number[] = [];
  let windowEnd = performance.now() + window;
  const unwatch = watchLateness((late) => {
    longest = Math.max(longest, late);
    if (performance.now() < windowEnd) return;
    before = [longest, ...before].slice(0, windows);
    longest = 0;
    windowEnd = performance.now() + window;
  });
  const maxFiles = readMaxFiles();
  return {
    stats() {
      const { user, system } = process.cpuUsage();
      const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
      return {
        startedAt: performance.timeOrigin / 1000,
        cpuUser: user / 1e6,
        cpuSystem: system / 1e6,
        resident: rss,
        heapUsed,
        heapTotal,
        external,
        bodies: bodies(),
        openFiles: countOpenFiles(),
        maxFiles,
        loopLag: Math.max(longest, ...before) / 1000,
        loopActive: performance.eventLoopUtilization().active / 1000,
      };
    },
    stop: unwatch,
  };
}

/** Linux from 6.2 on has their number as the folder's size; to list them would take long with many clients. */
function countOpenFiles(): number | undefined {
  const size = statSync("/proc/self/fd", { throwIfNoEntry: false })?.size;
  return size === 0 ? undefined : size;
}

function readMaxFiles(): number | undefined {
  try {
    const soft = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
