import { deepEqual, equal, ok } from "node:assert/strict";
import type { Appended, AppendOptions, Log } from "../log/log.ts";
import { eventually } from "./eventually.ts";
import { dataOf, newEvent, readAll } from "./events.ts";
import type { LogStoreFact } from "./log-store-fact.ts";

/** The outcome of an append: its numbers, or an error code. */
type Outcome = Appended | string;

async function outcomeOf(append: Promise<Appended>): Promise<Outcome> {
  try {
    return await append;
  } catch (error) {
    return String((error as { readonly code?: unknown }).code);
  }
}

const append = (log: Log, data: string, options?: AppendOptions): Promise<Outcome> =>
  outcomeOf(log.append([newEvent(data)], options));

/** Retries an append until the store is reachable and the outcome is known. */
async function appendUntilKnown(log: Log, data: string, options?: AppendOptions): Promise<Appended> {
  let outcome: Outcome | undefined;
  await eventually(`the append of ${data}`, async () => {
    outcome = await append(log, data, options);
    return typeof outcome !== "string";
  });
  return outcome as Appended;
}

/** The facts about lost answers: an append ends as appended, not appended, or unknown, and reports which. */
export const outcomeFacts: readonly LogStoreFact[] = [
  {
    title:
      "an append whose answer is lost resolves if the store is reachable again in time, or is certainly not in the log",
    losesAnswers: true,
    async check({ open, loseAnswers }) {
      const log = await open();
      await log.append([newEvent("before")]);
      const recover = loseAnswers();
      const pending = append(log, "lost", { upstreamCursor: "u" });
      setTimeout(recover, 300);
      const outcome = await pending;
      const known =
        outcome === "store-unavailable" ? await appendUntilKnown(log, "lost", { upstreamCursor: "u" }) : outcome;
      deepEqual(known, { first: 2, last: 2, replayed: false });
      deepEqual(await appendUntilKnown(log, "after"), { first: 3, last: 3, replayed: false });
      deepEqual(dataOf(await readAll(log)), ["before", "lost", "after"]);
      equal(log.state().upstreamCursor, "u");
    },
  },
  {
    title:
      "an unanswered append is unknown: a retry with a key or token appends exactly once, one without at least once",
    losesAnswers: true,
    async check({ open, loseAnswers }) {
      const log = await open();
      await log.append([newEvent("before")]);
      const recover = loseAnswers();
      const ways: Readonly<Record<string, AppendOptions>> = {
        keyed: { idempotency: { owner: "o", key: "k", fingerprint: "f" } },
        claimed: { retryToken: {} },
        plain: {},
      };
      const first = await Promise.all(Object.entries(ways).map(([data, options]) => append(log, data, options)));
      for (const outcome of first) ok(outcome === "append-unknown" || outcome === "store-unavailable");
      recover();
      for (const [data, options] of Object.entries(ways)) await appendUntilKnown(log, data, options);
      const data = dataOf(await readAll(log));
      const count = (wanted: string): number => data.filter((each) => each === wanted).length;
      deepEqual([count("before"), count("keyed"), count("claimed")], [1, 1, 1]);
      // Any other outcome is certain, so only the retry is in the log.
      if (first[2] === "append-unknown") ok(count("plain") === 1 || count("plain") === 2);
      else equal(count("plain"), 1);
    },
  },
];
