import type { UpstreamOptions, UpstreamTarget } from "./upstream.ts";

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
