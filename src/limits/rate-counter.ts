import type { Rate } from "./options.ts";

/** Counts how often each key does something. A store that several gateways share can stand behind it. */
export interface RateCounter {
  /**
   * Counts one for each of the keys if all have room, and nothing otherwise.
   * @returns ms until there is room; 0 if it was counted
   */
  take(keys: readonly string[]): Promise<number>;
}

/** Makes the counter of a rate. */
export type CreateRateCounter = (rate: Rate) => RateCounter;
