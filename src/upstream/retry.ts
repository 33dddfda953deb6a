import { backoffDelay } from "../util/backoff.ts";
import type { UpstreamFailure } from "./failure.ts";
import { longestWait } from "./retry-after.ts";
import type { UpstreamOptions, UpstreamTarget } from "./upstream.ts";

/** Chooses the target and the delay of the next attempt. */
export interface Retry {
  /** The target of the next or current attempt. */
  readonly target: UpstreamTarget;
  /** Failures since the last healthy stream. */
  readonly failures: number;
  /** Applies a `retry:` line of the stream: the shortest delay from now on, in ms. */
  hint(ms: number): void;
  /**
   * Records how an attempt ended, chooses the next target, and returns the delay before the next attempt, in ms.
   * @param failure `undefined` for a stream that the source closed normally
   * @param openFor how long the stream was open, in ms; `undefined` if it was not opened
   */
  after(failure: UpstreamFailure | undefined, openFor: number | undefined): number;
}

/**
 * Makes the {@link Retry} of one run.
 * @param random returns numbers from 0 up to 1
 */
export function createRetry(options: UpstreamOptions, now: () => number, random: () => number): Retry {
  const { backoff } = options;
  const targets = createTargets(options, now);
  let { target } = targets.next();
  let failures = 0;
  let shortest = 0;
  return {
    get target() {
      return target;
    },
    get failures() {
      return failures;
    },
    hint(ms) {
      shortest = Math.min(ms, longestWait);
    },
    after(failure, openFor) {
      const healthy = openFor !== undefined && openFor >= backoff.healthy;
      // A stream that ends soon after it opened is a failure too, even if it was closed normally.
      const failed = failure !== undefined || !healthy;
      if (healthy) failures = 0;
      if (failed) {
        failures++;
        targets.failed(requestedWait(failure, backoff.max));
      }
      const previous = target;
      const choice = targets.next();
      target = choice.target;
      // Each target is tried once without delay. After that, all of them have failed, and the backoff applies.
      const prompt = !choice.cooling && target !== previous && failures < options.targets.length;
      if (prompt) return backoff.min;
      return backoffDelay(Math.max(failures, 1), backoff, Math.max(shortest, choice.wait), random());
    },
  };
}

/**
 * The wait that the target requires, in ms: its `Retry-After`, and at least half of `max` if an operator must act
 * first.
 */
function requestedWait(failure: UpstreamFailure | undefined, max: number): number {
  const { retryAfter = 0, slow = false } = failure?.details ?? {};
  return slow ? Math.max(retryAfter, max / 2) : retryAfter;
}

/** The target to try next. */
export interface TargetChoice {
  readonly target: UpstreamTarget;
  /** True if all targets are cooling down, and this one is ready first. */
  readonly cooling: boolean;
  /** The rest of the wait that it asked for, in ms. */
  readonly wait: number;
}

/** Chooses targets, and skips failed ones while they cool down. */
export interface Targets {
  /** Records that the current target failed and asked for a wait of `wait` ms. It cools down for at least that time. */
  failed(wait: number): void;
  /** Chooses the target to use from now on. */
  next(): TargetChoice;
}

interface Entry {
  readonly target: UpstreamTarget;
  /** When it stops cooling down. */
  coolUntil: number;
  /** When the wait ends that it asked for. */
  askedUntil: number;
}

/**
 * Makes the {@link Targets} of an upstream.
 * @param now the time in ms, from a monotonic clock
 */
export function createTargets(
  { targets, balance, coolDown }: Pick<UpstreamOptions, "targets" | "balance" | "coolDown">,
  now: () => number,
): Targets {
  const entries = targets.map((target): Entry => ({ target, coolUntil: 0, askedUntil: 0 }));
  let current = -1;
  /** All targets, in the order of preference. */
  const ordered = (): Entry[] => {
    const first = balance === "round-robin" ? (current + 1) % entries.length : 0;
    return [...entries.slice(first), ...entries.slice(0, first)];
  };
  return {
    failed(wait) {
      const entry = entries[current];
      if (!entry) return;
      entry.coolUntil = now() + Math.max(coolDown, wait);
      entry.askedUntil = now() + wait;
    },
    next() {
      const time = now();
      const candidates = ordered();
      const ready = candidates.find((entry) => entry.coolUntil <= time);
      const entry = ready ?? candidates.reduce((best, other) => (other.coolUntil < best.coolUntil ? other : best));
      current = entries.indexOf(entry);
      return { target: entry.target, cooling: ready === undefined, wait: Math.max(entry.askedUntil - time, 0) };
    },
  };
}
