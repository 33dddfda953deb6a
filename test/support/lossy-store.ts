import type { GroupResult, LogDriver, StoreDriver } from "../../src/log/engine/driver.ts";
import { createEngineStore } from "../../src/log/engine/store.ts";
import type { LogStore } from "../../src/log/log.ts";
import { MemoryLogDriver } from "../../src/log/memory/log-driver.ts";
import { SpillwayError } from "../../src/errors.ts";

/** The answer never came. */
class LostAnswer extends Error {}

/** An engine in memory, to which the way is as the test has it. Its logs outlive its stores. */
export interface LossyEngine {
  open(now: () => number): LogStore;
  /** What becomes of the next calls: they are carried out or not, and answered or not. Called once for each call. */
  weather(next: () => Weather): void;
}

/** What becomes of one call. */
export type Weather = "fine" | "answer lost" | "request lost";

/** The driver of a log whose calls meet the weather. It remembers the result of the last group, as an engine has to. */
export function createLossyDriver(log: MemoryLogDriver, weather: () => Weather): LogDriver {
  let known: { readonly number: number; readonly result: GroupResult | undefined } | undefined;

  async function call<T>(work: () => Promise<T>): Promise<T> {
    const now = weather();
    if (now === "request lost") throw new LostAnswer("the request was lost");
    const result = await work();
    if (now === "answer lost") throw new LostAnswer("the answer was lost");
    return result;
  }

  return {
    append: (number, group) =>
      call(async () => {
        if (known && known.number >= number) throw new Error(`the group ${number} comes behind ${known.number}`);
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

/** Makes an engine whose way is fine at first. */
export function createLossyEngine(): LossyEngine {
  const logs = new Map<string, MemoryLogDriver>();
  let weather = (): Weather => "fine";

  const storeDriver: StoreDriver = {
    kind: "lossy",
    async open(stream) {
      const log = logs.get(stream) ?? new MemoryLogDriver();
      logs.set(stream, log);
      return { state: log.state, createDriver: (opened) => createLossyDriver(log.serve(opened), () => weather()) };
    },
    async prune() {},
    storeError: (error) =>
      error instanceof SpillwayError ? error : new SpillwayError("store-unavailable", String(error)),
    async close() {},
  };

  return {
    open: (now) => createEngineStore(storeDriver, { node: "a", now }),
    weather: (next) => void (weather = next),
  };
}
