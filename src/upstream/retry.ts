import { backoffDelay } from "../util/backoff.ts";
import type { UpstreamFailure } from "./failure.ts";
import { longestWait } from "./retry-after.ts";
import type { UpstreamOptions, UpstreamTarget } from "./upstream.ts";

/** Where and when to try next. */
export interface Retry {
  /** The target of the attempt that is due or under way. */
  readonly target: UpstreamTarget;
  /** Failures since the last healthy stream. */
  readonly failures: number;
  /** Takes a `retry:` line of the stream: the shortest delay from now on, in ms. */
  hint(ms: number): void;
  /**
   * Takes how an attempt ended, chooses the next target, and returns the delay before trying it, in ms.
   * @param failure `undefined` for a stream that the source closed in order
   * @param openFor how long the stream was open, in ms; `undefined` if it never was
   */
  after(failure: UpstreamFailure | undefined, openFor: number | undefined): number;
}

/** @param random gives numbers from 0 up to 1 */
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
      // A stream that ends as soon as it opens is a failure too, in whatever good order it ends.
      const failed = failure !== undefined || !healthy;
      if (healthy) failures = 0;
      if (failed) {
        failures++;
        targets.failed(requestedWait(failure, backoff.max));
      }
      const previous = target;
      const choice = targets.next();
      target = choice.target;
      // Once around the targets without delay; after that they all are in trouble, and the backoff goes for all.
      const prompt = !choice.cooling && target !== previous && failures < options.targets.length;
      if (prompt) return backoff.min;
      return backoffDelay(Math.max(failures, 1), backoff, Math.max(shortest, choice.wait), random());
    },
  };
}

/** How long the target wants to be left alone: what it said, and half the longest delay where only a person can help. */
function requestedWait(failure: UpstreamFailure | undefined, max: number): number {
  const { retryAfter = 0, slow = false } = failure?.details ?? {};
  return slow ? Math.max(retryAfter, max / 2) : retryAfter;
}

/** The target to try next. */
export interface TargetChoice {
  readonly target: UpstreamTarget;
  /** True where every target cools down, and this one only happens to be ready first. */
  readonly cooling: boolean;
  /** How long it still asked to be left alone, in ms. */
  readonly wait: number;
}

/** Which target to try, and which ones to pass over for a while. */
export interface Targets {
  /** Says that the target in use failed and asked to be left alone for `wait` ms. It cools down at least that long. */
  failed(wait: number): void;
  /** Chooses the target to use from now on. */
  next(): TargetChoice;
}

interface Entry {
  readonly target: UpstreamTarget;
  /** Until when it is passed over. */
  coolUntil: number;
  /** Until when it asked to be left alone. */
  askedUntil: number;
}

/** @param now the time in ms, from a clock that never goes back */
export function createTargets(
  { targets, balance, coolDown }: Pick<UpstreamOptions, "targets" | "balance" | "coolDown">,
  now: () => number,
): Targets {
  const entries = targets.map((target): Entry => ({ target, coolUntil: 0, askedUntil: 0 }));
  let current = -1;
  /** All of them, in the order in which they are to be tried. */
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
