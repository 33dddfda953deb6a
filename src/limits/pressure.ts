import { SpillwayError } from "../errors.ts";
import type { Admission } from "./admission.ts";
import type { Limits } from "./options.ts";

/** What this process may use up before it lets nobody else in. */
export type PressureBounds = Pick<Limits, "memory" | "lag">;

/** Watches the time and the memory of this process. */
export interface Pressure {
  /** Starts to measure. Idempotent. */
  start(): void;
  /** Ends measuring, and lets everybody in again. Idempotent. */
  stop(): void;
  /**
   * Costs no more than a look at a flag.
   * @throws {SpillwayError} `overloaded` with `retryAfter`, while a bound is passed
   */
  check(): void;
  /** Delay of the event loop, ms: the middle one of the last three samples. 0 before the start. */
  readonly lag: number;
  /** Resident memory of the process, bytes, as of the last sample. 0 before the start. */
  readonly memory: number;
  /** Whether `check` throws. */
  readonly overloaded: boolean;
  /** Takes other bounds from the next sample on. */
  change(bounds: PressureBounds): void;
}

/** Where the figures come from. */
export interface PressureGauges {
  /** A clock in ms that only goes forward. */
  now(): number;
  /** Resident memory in bytes. */
  rss(): number;
}

/** Between two samples, ms. A turn of the event loop is seen as shorter than it is by at most that. */
const interval = 100;

const calm: readonly number[] = [0, 0, 0];

/** The part of a bound below which what was closed opens again. Memory is given back slowly, if at all. */
const reopenAt = { lag: 0.5, memory: 0.95 };

/** Seconds after which there may be time again. */
const retryAfter = 5;

const processGauges: PressureGauges = { now: () => performance.now(), rss: () => process.memoryUsage.rss() };

/**
 * Makes a {@link Pressure} that does not measure yet.
 * @param onChange told when it closes and when it opens again
 */
export function createPressure(
  limits: PressureBounds,
  onChange: (overloaded: boolean) => void = () => {},
  gauges: PressureGauges = processGauges,
): Pressure {
  let bounds = limits;
  let timer: NodeJS.Timeout | undefined;
  let due = 0;
  let samples: readonly number[] = calm;
  let [lag, memory] = [0, 0];
  let [slow, full] = [false, false];

  function judge(): void {
    const before = slow || full;
    slow = isPassed(lag, bounds.lag, slow ? reopenAt.lag : 1);
    full = isPassed(memory, bounds.memory, full ? reopenAt.memory : 1);
    if ((slow || full) !== before) onChange(!before);
  }

  function sample(): void {
    const now = gauges.now();
    // One long turn, as a collection of garbage makes it, is over when it is seen: only the second of three is a state.
    samples = [...samples.slice(-2), Math.max(0, now - due)];
    lag = samples.toSorted((a, b) => a - b)[1]!;
    memory = gauges.rss();
    due = now + interval;
    judge();
  }

  return {
    start() {
      if (timer) return;
      timer = setInterval(sample, interval).unref();
      due = gauges.now() + interval;
      memory = gauges.rss();
      judge();
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
      samples = calm;
      [lag, memory] = [0, 0];
      judge();
    },
    check() {
      if (slow || full) throw new SpillwayError("overloaded", undefined, { retryAfter });
    },
    get lag() {
      return lag;
    },
    get memory() {
      return memory;
    },
    get overloaded() {
      return slow || full;
    },
    change(next) {
      bounds = next;
    },
  };
}

function isPassed(value: number, bound: number | undefined, part: number): boolean {
  return bound !== undefined && value > bound * part;
}

/** The same admission, which lets no subscription in while this process is overloaded. */
export function underPressure(admission: Admission, pressure: Pressure): Admission {
  return {
    connect(caller) {
      pressure.check();
      return admission.connect(caller);
    },
    publish: (caller) => admission.publish(caller),
  };
}
