import { readFileSync, statSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { watchLateness } from "../util/event-loop.ts";

/** Resource usage of a process. Times in seconds, sizes in bytes. */
export interface ProcessStats {
  /** When the process started, since 1970. */
  readonly startedAt: number;
  readonly cpuUser: number;
  readonly cpuSystem: number;
  readonly resident: number;
  readonly heapUsed: number;
  readonly heapTotal: number;
  /** Memory that V8 holds outside its heap, such as buffers. */
  readonly external: number;
  /** Number of open file descriptors; `undefined` if the system does not report it. */
  readonly openFiles: number | undefined;
  /** Maximum number of open file descriptors; `undefined` if the system does not report it. */
  readonly maxFiles: number | undefined;
  /** Size of the request bodies that are being read, or whose events are being stored. */
  readonly bodies: number;
  /** The longest delay of the event loop in the last 15 to 20 seconds. */
  readonly loopLag: number;
  /** Total time that the event loop was not idle. */
  readonly loopActive: number;
}

/** Watches its own process. */
export interface ProcessMonitor {
  stats(): ProcessStats;
  /** Stops watching. */
  stop(): void;
}

/** Length of a window whose longest delay is recorded, in ms, and number of past windows that still count. */
const window = 5000;
const windows = 3;

/** Starts watching, without keeping the process alive. `bodies` returns the size of all request bodies. */
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

/** On Linux 6.2 and later, the size of the folder is their number. Listing them would be slow with many clients. */
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
