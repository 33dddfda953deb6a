import { createTargetHealth } from "../../../src/proxy/target-health.ts";
import type { Target } from "../../../src/proxy/target.ts";

/** A target without connections, whose load a test sets. */
export type TargetDouble = { -readonly [Name in keyof Target]: Target[Name] };

export function targetDouble(name: string, weight = 1): TargetDouble {
  const unused = (): never => {
    throw new Error("not part of the double");
  };
  return {
    name,
    weight,
    url: new URL("http://target.test"),
    active: 0,
    waiting: 0,
    isFull: false,
    health: createTargetHealth(),
    tryEnter: unused,
    enter: unused,
    leave: unused,
    dispatch: unused,
    probe: unused,
    close: unused,
  };
}

/** A clock that a test sets. */
export function manualClock(): { now(): number; advance(ms: number): void } {
  let at = 1_000_000;
  return { now: () => at, advance: (ms) => void (at += ms) };
}

/** Numbers as `Math.random` gives them, the same in each run. */
export function seededRandom(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
