import { SpillwayError } from "../errors.ts";
import { watchLateness } from "../util/event-loop.ts";
import type { Admission } from "./admission.ts";
import type { Limits } from "./options.ts";

/** Resource limits above which this process refuses new clients. */
export type PressureBounds = Pick<Limits, "memory" | "lag">;

/** Watches the event loop delay and the memory of this process. */
export interface Pressure {
  /** Starts measuring. Idempotent. */
  start(): void;
  /** Stops measuring, and admits all clients again. Idempotent. */
  stop(): void;
  /**
   * Cheap: only reads a flag.
   * @throws {SpillwayError} `overloaded` with `retryAfter`, while a limit is exceeded
   */
  check(): void;
  /** Delay of the event loop, ms: the median of the last three samples. 0 before the start. */
  readonly lag: number;
  /** Resident memory of the process, bytes. */
  readonly memory: number;
  /** Whether `check` throws. */
  readonly overloaded: boolean;
  /** Changes the limits, from the next sample on. */
  change(bounds: PressureBounds): void;
}

/** The sources of the measurements. */
export interface PressureGauges {
  /** Reports periodically how late the event loop was, in ms; returns the function that stops it. */
  watchLateness(listener: (late: number) => void): () => void;
  /** Resident memory in bytes. */
  rss(): number;
}

const calm: readonly number[] = [0, 0, 0];

/** The fraction of a limit below which clients are admitted again. Memory is released slowly, if at all. */
const reopenAt = { lag: 0.5, memory: 0.95 };

/** Seconds after which the load may have dropped. */
const retryAfter = 5;

const processGauges: PressureGauges = { watchLateness, rss: () => process.memoryUsage.rss() };

/**
 * Makes a {@link Pressure} that does not measure yet.
 * @param onChange called when the process becomes overloaded, and when that ends
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
    // A single long turn, such as a garbage collection, is over when it is noticed: only two late samples of three
    // count.
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

/** Without a limit, the value is not read. */
function isPassed(bound: number | undefined, part: number, value: () => number): boolean {
  return bound !== undefined && value() > bound * part;
}

/** Wraps an admission so that it refuses subscriptions while this process is overloaded. */
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
