import type { AppendOutcome, AppendRequest, AppendResult } from "./append-queue.ts";

/**
 * Appends that were answered with a failure since nobody could tell, and were found in the log later on. The caller was told that it
 * may make the same call again: that call is answered with the first one's numbers, and nothing is appended twice.
 */
export interface Credits {
  readonly empty: boolean;
  add(requests: readonly AppendRequest[], outcomes: readonly AppendOutcome[]): void;
  /** The answer to an append that is there already. */
  take(request: AppendRequest): AppendResult | undefined;
}

/** Whoever has not asked again by then, in ms, does not. */
const lifetime = 10 * 60_000;

/** Makes an empty list of credits. */
export function createCredits(): Credits {
  let credits: { readonly key: string; readonly result: AppendResult; readonly until: number }[] = [];

  return {
    get empty() {
      credits = credits.filter(({ until }) => until > performance.now());
      return credits.length === 0;
    },
    add(requests, outcomes) {
      const until = performance.now() + lifetime;
      for (const [index, request] of requests.entries()) {
        const outcome = outcomes[index]!;
        if (!("code" in outcome) && !outcome.replayed) credits.push({ key: keyOf(request), result: outcome, until });
      }
    },
    take(request) {
      const key = keyOf(request);
      const index = credits.findIndex((credit) => credit.key === key);
      return index === -1 ? undefined : credits.splice(index, 1)[0]!.result;
    },
  };
}

function keyOf({ events, options: { upstreamCursor, idempotency } }: AppendRequest): string {
  return JSON.stringify([events, upstreamCursor, idempotency]);
}
