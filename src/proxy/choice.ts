import type { Balance } from "./options.ts";
import type { Target } from "./target.ts";

/** Chooses one of two or more targets. */
export type Choice = (
  candidates: readonly Target[],
  /** The current share of a target, compared with the others; above 0. */
  weightOf: (target: Target) => number,
  key: () => string,
) => Target;

/** Makes the choice of a balance. */
export function createChoice(balance: Balance, random: () => number): Choice {
  if (balance === "failover") return ([first]) => first!;
  if (balance === "round-robin") return createRoundRobin();
  if (balance === "least-requests") return createLeastRequests(random);
  return createRendezvous();
}

/** Smooth weighted round-robin, as in nginx: turns of a heavy target are spread between those of the others. */
function createRoundRobin(): Choice {
  const credits = new WeakMap<Target, number>();
  return (candidates, weightOf) => {
    let total = 0;
    let best = candidates[0]!;
    let most = -Infinity;
    for (const target of candidates) {
      const weight = weightOf(target);
      const credit = (credits.get(target) ?? 0) + weight;
      credits.set(target, credit);
      total += weight;
      if (credit > most) [best, most] = [target, credit];
    }
    credits.set(best, most - total);
    return best;
  };
}

/**
 * Draws two targets by their weights, and takes the one with fewer requests for its weight. Unlike the least of all, two
 * random ones do not send every process's requests to the same target.
 */
function createLeastRequests(random: () => number): Choice {
  function draw(candidates: readonly Target[], weightOf: (target: Target) => number): Target {
    let rest = random() * candidates.reduce((sum, target) => sum + weightOf(target), 0);
    return candidates.find((target) => (rest -= weightOf(target)) < 0) ?? candidates.at(-1)!;
  }

  return (candidates, weightOf) => {
    const load = (target: Target): number => (target.active + target.waiting) / weightOf(target);
    const first = draw(candidates, weightOf);
    const second = draw(
      candidates.filter((target) => target !== first),
      weightOf,
    );
    return load(second) < load(first) ? second : first;
  };
}

/**
 * Rendezvous hashing by weight (draft-ietf-bess-weighted-hrw, §4): a target that is added or removed moves no keys
 * between the others.
 */
function createRendezvous(): Choice {
  return (candidates, weightOf, key) => {
    const hashed = hash(key());
    let best = candidates[0]!;
    let highest = -Infinity;
    for (const target of candidates) {
      // Above 0 and below 1.
      const uniform = (mix(hashed ^ hash(target.name)) + 0.5) / 2 ** 32;
      const score = -weightOf(target) / Math.log(uniform);
      if (score > highest) [best, highest] = [target, score];
    }
    return best;
  };
}

/** FNV-1a over UTF-16 code units, mixed. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return mix(value);
}

/** MurmurHash3's finalizer: each bit of the input changes half of the output's. */
function mix(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
