import fc from "fast-check";
import { expect, test } from "vitest";
import { SpillwayError } from "../../../../src/errors.ts";
import { AppendLedger } from "../../../../src/log/engine/append-ledger.ts";
import type { Batch, BatchOutcome } from "../../../../src/log/engine/driver.ts";
import type { AppendOptions } from "../../../../src/log/log.ts";
import { MemoryLogDriver } from "../../../../src/log/memory/log-driver.ts";
import { createLossyDriver, type CallOutcome } from "../../../support/lossy-store.ts";

const ways = ["plain", "keyed", "claimed"] as const;

/** The results of the driver's calls, repeated from the first when all are used. */
const callOutcomes = fc.array(fc.constantFrom<CallOutcome>("fine", "fine", "answer lost", "request lost"), {
  minLength: 1,
});
/** Appends in groups, each made in one of the ways. */
const plans = fc.array(fc.array(fc.constantFrom(...ways), { minLength: 1, maxLength: 4 }), { minLength: 1 });

function optionsOf(way: (typeof ways)[number], name: string): AppendOptions {
  if (way === "keyed") return { idempotency: { key: name, fingerprint: "f" } };
  return way === "claimed" ? { retryToken: {} } : {};
}

function batchOf(name: string, options: AppendOptions): Batch {
  return { events: [{ event: "message", data: name, channel: undefined, upstreamId: undefined }], options, clock: 1 };
}

function kindOf(outcome: BatchOutcome): "appended" | "unknown" | "not appended" {
  if (!(outcome instanceof SpillwayError)) return "appended";
  return outcome.code === "append-unknown" ? "unknown" : "not appended";
}

async function countByName(log: MemoryLogDriver): Promise<(name: string) => number> {
  const range = {
    direction: "forward",
    filter: undefined,
    from: 0,
    limit: 4_096,
    maxBytes: Infinity,
    live: false,
  } as const;
  const { events } = await log.scan(range);
  return (name) => events.filter(({ data }) => data === name).length;
}

test("whatever messages are lost, an append is in the log as its outcome says, and its retry by key or token is not duplicated", async () => {
  await fc.assert(
    fc.asyncProperty(callOutcomes, plans, async (sequence, plan) => {
      const log = new MemoryLogDriver();
      let calls = 0;
      let calm = false;
      const next = (): CallOutcome => (calm ? "fine" : sequence[calls++ % sequence.length]!);
      const driver = createLossyDriver(log, next);
      const onReplaced = (): never => expect.unreachable();
      const ledger = new AppendLedger({ driver, onAppended: () => {}, onReplaced });
      // No time for another try, so that every outcome occurs.
      ledger.hurry();

      const groups = plan.map((group, row) => group.map((way, index) => ({ way, name: `${row}.${index}` })));
      const appends = new Map(groups.flat().map(({ way, name }) => [name, batchOf(name, optionsOf(way, name))]));
      const kinds = new Map<string, string>();
      for (const group of groups) {
        const outcomes = await ledger.append(group.map(({ name }) => appends.get(name)!));
        for (const [index, { name }] of group.entries()) kinds.set(name, kindOf(outcomes[index]!));
      }
      calm = true;
      await ledger.append([batchOf("settled", {})]);

      const first = await countByName(log);
      for (const [name, kind] of kinds) {
        expect(kind === "unknown" ? [0, 1] : [kind === "appended" ? 1 : 0]).toContain(first(name));
      }
      for (const { way, name } of groups.flat()) {
        if (kinds.get(name) !== "appended" && way !== "plain") await ledger.append([appends.get(name)!]);
      }
      const second = await countByName(log);
      for (const { way, name } of groups.flat()) if (way !== "plain") expect(second(name)).toBe(1);
    }),
    { numRuns: 500 },
  );
});
