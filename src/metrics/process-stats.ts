import { readFileSync, statSync } from "node:fs";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";

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

/**
 * How often the event loop's delay is sampled, in ms; a turn is seen as shorter than it is by at most that. Measured: at 10 ms the
 * samples take 0.5 % of a core, which is more than all else that an idle process does.
 */
const resolution = 50;

/** The time over which a longest delay is found, in ms, and how many of those that are over count still. */
const window = 5000;
const windows = 3;

/** Starts to watch; keeps no process alive. */
export function createProcessMonitor(): ProcessMonitor {
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  let before: number[] = [];
  const rotate = setInterval(() => {
    before = [delay.max, ...before].slice(0, windows);
    delay.reset();
  }, window).unref();
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
        openFiles: countOpenFiles(),
        maxFiles,
        // A sample is the time between two of its timer's calls, so it holds the timer's own delay too.
        loopLag: Math.max(0, Math.max(delay.max, ...before) / 1e9 - resolution / 1000),
        loopActive: performance.eventLoopUtilization().active / 1000,
      };
    },
    stop() {
      clearInterval(rotate);
      delay.disable();
    },
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
