import type { TargetStatus } from "../http/gateway-status.ts";
import { monotonicMs } from "../util/durations.ts";
import { createChoice } from "./choice.ts";
import type { EjectOptions, RouteUpstreamOptions } from "./options.ts";
import type { Target } from "./target.ts";

/** Chooses a target for each request of a route. */
export interface Balancer {
  /**
   * The target for a request; `undefined` if every target is down, ejected, full or in `tried`.
   * @param key the value to hash, read only if the balance is a hash
   */
  choose(tried: ReadonlySet<Target>, key: () => string): Target | undefined;
  /** Takes the outcome of an attempt. Failures in a row eject the target. */
  report(target: Target, failed: boolean): void;
  state(target: Target): TargetStatus["state"];
}

export interface BalancerDependencies {
  /** A monotonic clock, in ms. */
  now?(): number;
  /** From 0 to 1, as `Math.random`. */
  random?(): number;
  /** Called when a target is ejected for `duration` ms. */
  onEject?(target: Target, duration: number): void;
}

/** The part of its share that a target has at the beginning of slow start. */
const firstShare = 0.1;

/** The longest ejection, as a multiple of `eject.for`. */
const maxBackoff = 10;

/** Balances over these targets. */
export function createBalancer(
  targets: readonly Target[],
  { balance, eject, slowStart }: Pick<RouteUpstreamOptions, "balance" | "eject" | "slowStart">,
  { now = monotonicMs, random = Math.random, onEject }: BalancerDependencies = {},
): Balancer {
  const select = createChoice(balance, random);

  function state({ health }: Target): TargetStatus["state"] {
    if (!health.isUp) return "down";
    return now() < health.ejectedUntil ? "ejected" : "up";
  }

  function weightOf({ weight, health }: Target): number {
    const age = now() - Math.max(health.startedAt, health.ejectedUntil);
    const share = age >= slowStart ? 1 : firstShare + (1 - firstShare) * (age / slowStart);
    // Targets of weight 0 compete only with each other.
    return (weight || 1) * share;
  }

  function mayEject(target: Target, { most }: EjectOptions): boolean {
    const ejected = targets.filter((each) => state(each) === "ejected").length;
    // The addend makes up for products such as 0.29 × 100, which is below 29.
    return (
      ejected + 1 <= Math.floor(most * targets.length + 1e-9) &&
      targets.some((each) => each !== target && state(each) === "up")
    );
  }

  function ejectTarget(target: Target, options: EjectOptions): void {
    const { health } = target;
    const forgiven = Math.floor((now() - health.ejectedUntil) / options.for);
    health.backoff = Math.min(Math.max(health.backoff - forgiven, 0) + 1, maxBackoff);
    const duration = options.for * health.backoff;
    health.ejectedUntil = now() + duration;
    health.failures = 0;
    onEject?.(target, duration);
  }

  return {
    choose(tried, key) {
      const usable = targets.filter((target) => state(target) === "up" && !target.isFull && !tried.has(target));
      const weighted = usable.filter(({ weight }) => weight > 0);
      const candidates = weighted.length > 0 ? weighted : usable;
      return candidates.length < 2 ? candidates[0] : select(candidates, weightOf, key);
    },
    report(target, failed) {
      if (!eject || state(target) !== "up") return;
      const { health } = target;
      health.failures = failed ? health.failures + 1 : 0;
      if (health.failures >= eject.errors && mayEject(target, eject)) ejectTarget(target, eject);
    },
    state,
  };
}
