import { interruptAfterTimeLimit, type Parameters } from "fast-check";

/** Set by `run.js`. */
const { FUZZ_SECONDS: seconds, FUZZ_SEED: seed } = process.env;

/** How long a test may take, in ms. */
export const time: number = 120_000 + Number(seconds ?? 0) * 1000;

/**
 * How long a property is tried: `runs` times in the test suite; under `npm run fuzz` for its `share` of the file's time, from the seed
 * that was printed. A failure names the seed and the smallest input that fails.
 */
export function budget<Inputs>(runs: number, share = 1): Parameters<Inputs> {
  if (seconds === undefined) return { numRuns: runs };
  const plugins = [interruptAfterTimeLimit(Number(seconds) * 1000 * share)] as unknown as Parameters<Inputs>["plugins"];
  return { numRuns: 1e9, seed: Number(seed), plugins: plugins! };
}
