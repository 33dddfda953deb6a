import type { GroupResult, LogDriver, StoreDriver } from "../../src/log/engine/driver.ts";
import { createEngineStore } from "../../src/log/engine/store.ts";
import type { LogStore } from "../../src/log/log.ts";
import { MemoryLogDriver } from "../../src/log/memory/log-driver.ts";
import { SpillwayError } from "../../src/errors.ts";

/** The answer was lost. */
class LostAnswer extends Error {}

/** An engine in memory whose connection fails as the test specifies. Its logs outlive its stores. */
export interface LossyEngine {
  open(now: () => number): LogStore;
  /** Decides for each call whether it is executed and whether it is answered. */
  outcomes(next: () => CallOutcome): void;
}

/** The outcome of one call. */
export type CallOutcome = "fine" | "answer lost" | "request lost";

/** The driver of a log over this connection. It remembers the result of the last group, as an engine must. */
export function createLossyDriver(log: MemoryLogDriver, nextOutcome: () => CallOutcome): LogDriver {
  let known: { readonly number: number; readonly result: GroupResult | undefined } | undefined;

  async function call<T>(work: () => Promise<T>): Promise<T> {
    const outcome = nextOutcome();
    if (outcome === "request lost") throw new LostAnswer("the request was lost");
    const result = await work();
    if (outcome === "answer lost") throw new LostAnswer("the answer was lost");
    return result;
  }

  return {
    append: (number, group) =>
      call(async () => {
        if (known && known.number >= number) throw new Error(`the group ${number} follows ${known.number}`);
        const result = await log.append(number, group);
        known = { number, result };
        return result;
      }),
    settle: (number) =>
      call(async () => {
        if (known?.number === number) return known.result;
        known = { number, result: undefined };
        return undefined;
      }),
    scan: (range) => call(() => log.scan(range)),
    latestOfSource: (id) => call(() => log.latestOfSource(id)),
    alike: (origin, id) => call(() => log.alike(origin, id)),
    beforeTime: (since) => call(() => log.beforeTime(since)),
    trim: (bounds, limit) => call(() => log.trim(bounds, limit)),
    boundKeys: () => call(() => log.boundKeys()),
    failure(error) {
      if (error instanceof SpillwayError) return { error };
      const lost = error instanceof LostAnswer;
      return { error: new SpillwayError("store-unavailable", String(error)), unknown: lost, retry: lost };
    },
  };
}

/** Makes an engine whose connection works at first. */
export function createLossyEngine(): LossyEngine {
  const logs = new Map<string, MemoryLogDriver>();
  let nextOutcome = (): CallOutcome => "fine";

  const storeDriver: StoreDriver = {
    kind: "lossy",
    async open(stream) {
      const log = logs.get(stream) ?? new MemoryLogDriver();
      logs.set(stream, log);
      return { state: log.state, createDriver: (opened) => createLossyDriver(log.serve(opened), () => nextOutcome()) };
    },
    async prune() {},
    storeError: (error) =>
      error instanceof SpillwayError ? error : new SpillwayError("store-unavailable", String(error)),
    async close() {},
  };

  return {
    open: (now) => createEngineStore(storeDriver, { node: "a", now }),
    outcomes: (next) => void (nextOutcome = next),
  };
}
