import { appendFacts } from "./append-facts.ts";
import { closeFacts } from "./close-facts.ts";
import { filterFacts } from "./filter-facts.ts";
import { findFacts } from "./find-facts.ts";
import { idempotencyFacts } from "./idempotency-facts.ts";
import type { LogStoreFact } from "./log-store-fact.ts";
import { createStage, type LogStorePlace } from "./stage.ts";
import { outcomeFacts } from "./outcome-facts.ts";
import { readFacts } from "./read-facts.ts";
import { reopenFacts } from "./reopen-facts.ts";
import { removalFacts } from "./removal-facts.ts";
import { retentionFacts } from "./retention-facts.ts";
import { sharedFacts } from "./shared-facts.ts";
import { textFacts } from "./text-facts.ts";
import { watchFacts } from "./watch-facts.ts";

/** The functions of a test runner that the suite needs. Vitest, Jest, Mocha and `node:test` have them. */
export interface TestRunner {
  describe(title: string, body: () => void): void;
  it(title: string, body: () => Promise<void>): void;
}

/** How the suite creates a store, and which facts apply to it. */
export interface LogStoreHarness {
  /** Whether a store that is closed and opened again at the same place keeps its logs. */
  readonly persistent: boolean;
  /** Whether several processes may have it open at once. Default: false. */
  readonly shared?: boolean;
  /** Whether places implement {@link LogStorePlace.loseAnswers}. Default: false. */
  readonly losesAnswers?: boolean;
  /** Whether the store has `removal`. Default: false. */
  readonly removes?: boolean;
  /** Makes an empty place for a store. Called for each test. */
  createPlace(): Promise<LogStorePlace>;
}

const groups: Readonly<Record<string, readonly LogStoreFact[]>> = {
  append: appendFacts,
  text: textFacts,
  read: readFacts,
  filter: filterFacts,
  find: findFacts,
  watch: watchFacts,
  idempotency: idempotencyFacts,
  outcome: outcomeFacts,
  retention: retentionFacts,
  removal: removalFacts,
  reopen: reopenFacts,
  close: closeFacts,
  shared: sharedFacts,
};

/**
 * Defines a test for every fact that the log port requires of a store.
 * @example describeLogStore("mine", { persistent: true, createPlace }, { describe, it });
 */
export function describeLogStore(name: string, harness: LogStoreHarness, runner: TestRunner): void {
  runner.describe(`log store: ${name}`, () => {
    for (const [group, facts] of Object.entries(groups)) {
      const held = facts.filter((fact) => holds(fact, harness));
      if (held.length === 0) continue;
      runner.describe(group, () => {
        for (const fact of held) runner.it(fact.title, () => check(fact, harness));
      });
    }
  });
}

function holds(fact: LogStoreFact, harness: LogStoreHarness): boolean {
  const { persistent, shared = false, losesAnswers = false, removes = false } = harness;
  return (
    (fact.persistent ?? persistent) === persistent &&
    (shared || !fact.shared) &&
    (losesAnswers || !fact.losesAnswers) &&
    (removes || !fact.removes)
  );
}

async function check(fact: LogStoreFact, harness: LogStoreHarness): Promise<void> {
  const stage = await createStage(await harness.createPlace());
  try {
    await fact.check(stage);
  } finally {
    await stage.clear();
  }
}
