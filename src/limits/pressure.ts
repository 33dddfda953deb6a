import { SpillwayError } from "../errors.ts";
import { watchLateness } from "../util/lateness.ts";
import type { Admission } from "./admission.ts";
import type { Limits } from "./options.ts";

/** Resource limits above which this process refuses new clients. */
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
  /** Resident memory of the process, bytes. */
  readonly memory: number;
  /** Whether `check` throws. */
  readonly overloaded: boolean;
  /** Takes other bounds from the next sample on. */
  change(bounds: PressureBounds): void;
}

/** Where the figures come from. */
export interface PressureGauges {
  /** Tells again and again by how much the event loop was late, in ms; returns the way to stop. */
  watchLateness(listener: (late: number) => void): () => void;
  /** Resident memory in bytes. */
  rss(): number;
}

const calm: readonly number[] = [0, 0, 0];

/** The part of a bound below which what was closed opens again. Memory is given back slowly, if at all. */
const reopenAt = { lag: 0.5, memory: 0.95 };

/** Seconds after which there may be time again. */
const retryAfter = 5;

const processGauges: PressureGauges = { watchLateness, rss: () => process.memoryUsage.rss() };

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
  let unwatch: (() => void) | undefined;
  let samples: readonly number[] = calm;
  let lag = 0;
  let [slow, full] = [false, false];

  function enter(nowSlow: boolean, nowFull: boolean): void {
    const before = slow || full;
    [slow, full] = [nowSlow, nowFull];
    if ((slow || full) !== before) onChange(!before);
  }

  function judge(): void {
    enter(
      isPassed(bounds.lag, slow ? reopenAt.lag : 1, () => lag),
      isPassed(bounds.memory, full ? reopenAt.memory : 1, () => gauges.rss()),
    );
  }

  function sample(late: number): void {
    // One long turn, as a collection of garbage makes it, is over when it is seen: only the second of three is a state.
    samples = [...samples.slice(-2), late];
    lag = samples.toSorted((a, b) => a - b)[1]!;
    judge();
  }

  return {
    start() {
      if (unwatch) return;
      unwatch = gauges.watchLateness(sample);
      judge();
    },
    stop() {
      unwatch?.();
      unwatch = undefined;
      samples = calm;
      lag = 0;
      enter(false, false);
    },
    check() {
      if (slow || full) throw new SpillwayError("overloaded", undefined, { retryAfter });
    },
    get lag() {
      return lag;
    },
    get memory() {
      return gauges.rss();
    },
    get overloaded() {
      return slow || full;
    },
    change(next) {
      bounds = next;
    },
  };
}

/** What has no bound is not looked at. */
function isPassed(bound: number | undefined, part: number, value: () => number): boolean {
  return bound !== undefined && value() > bound * part;
}

/** The same admission, which lets no subscription in while this process is overloaded. */
export function underPressure(admission: Admission, pressure: Pressure): Admission {
  return {
    arrive: (arrival) => admission.arrive(arrival),
    connect(caller) {
      pressure.check();
      return admission.connect(caller);
    },
    publish: (caller) => admission.publish(caller),
  };
}
