import { SpillwayError } from "../../errors.ts";
import { backoffDelay } from "../../util/backoff.ts";
import { pause } from "../../util/pause.ts";
import type { Appended } from "../log.ts";
import {
  type Batch,
  type BatchOutcome,
  type DriverFailure,
  type GroupResult,
  type LogDriver,
  LogReplacedError,
} from "./driver.ts";

/** What a ledger needs of its log. */
export interface AppendLedgerDependencies {
  readonly driver: Pick<LogDriver, "append" | "settle" | "failure">;
  /** Called with each group that was appended, before its callers are answered. */
  onAppended(result: GroupResult): void;
  /** Ends the log, and returns the error that its callers get. */
  onReplaced(): SpillwayError;
}

/** How long one group is tried, in ms. */
const appendTimeout = 10_000;

/** The pause between two tries, in ms. */
const retry = { min: 20, max: 1_000 };

/** A group that was sent. */
interface SentGroup {
  readonly number: number;
  readonly group: readonly Batch[];
}

/**
 * Appends groups, one at a time, and keeps account of those whose outcome is unknown. An append ends in one of three ways: appended, not
 * appended, or unknown (`append-unknown`). While a group is unknown nothing else is appended: first it is settled, that is found in the
 * log or called off. A class, since everything it does is to change its own account.
 */
export class AppendLedger {
  readonly #dependencies: AppendLedgerDependencies;
  /** The numbers of appends that were reported as unknown and found in the log later, by the token of their retry. */
  readonly #claims = new WeakMap<object, Appended>();
  /** How many there are; more where a caller gave up. */
  #unclaimed = 0;
  readonly #hurrying = new AbortController();
  #number = 0;
  /** The group whose outcome is unknown. */
  #unknown: SentGroup | undefined;

  constructor(dependencies: AppendLedgerDependencies) {
    this.#dependencies = dependencies;
  }

  /** Appends a group; resolves to what became of each batch, and never rejects. */
  async append(group: readonly Batch[]): Promise<readonly BatchOutcome[]> {
    const failure = this.#unknown && (await this.#settleReported());
    // Nothing of this group was sent, but some of its batches may be retries of what was.
    if (failure)
      return group.map((batch) => (this.#unknown?.group.some(isRetryOf(batch)) ? unknownError(failure) : failure));
    return this.#unclaimed === 0 ? this.#send(group) : this.#claimOrSend(group);
  }

  /** From now on no time is spent on repeated tries. */
  hurry(): void {
    this.#hurrying.abort();
  }

  /** Sends a group until it is appended, refused, unknown, or out of time. */
  async #send(group: readonly Batch[]): Promise<readonly BatchOutcome[]> {
    const deadline = performance.now() + appendTimeout;
    for (let tries = 1; ; tries++) {
      const sent = { number: ++this.#number, group };
      try {
        const result = await this.#dependencies.driver.append(sent.number, group);
        this.#dependencies.onAppended(result);
        return result.outcomes;
      } catch (error) {
        const failure = this.#explain(error);
        const settled = failure.unknown ? await this.#settleInTime(sent, deadline) : undefined;
        if (settled) return settled;
        if (failure.retry && (await this.#waitToRetry(tries, deadline))) continue;
        return failure.divisible && group.length > 1 ? this.#sendEach(group) : group.map(() => failure.error);
      }
    }
  }

  /** Sends each batch by itself, so that one that the engine refuses fails alone. */
  async #sendEach(group: readonly Batch[]): Promise<readonly BatchOutcome[]> {
    const outcomes: BatchOutcome[] = [];
    for (const batch of group) outcomes.push(...(await this.append([batch])));
    return outcomes;
  }

  /** Settles a group that was just sent; resolves to what became of its batches, or to `undefined` if it was not appended. */
  async #settleInTime(sent: SentGroup, deadline: number): Promise<readonly BatchOutcome[] | undefined> {
    this.#unknown = sent;
    for (let tries = 1; ; tries++) {
      try {
        return (await this.#settle(sent))?.outcomes;
      } catch (error) {
        const { error: cause } = this.#explain(error);
        const final = error instanceof LogReplacedError || !(await this.#waitToRetry(tries, deadline));
        if (final) return sent.group.map(() => unknownError(cause));
      }
    }
  }

  /** Settles the group that was reported as unknown, and keeps the answers for callers who try again; resolves to why it cannot be. */
  async #settleReported(): Promise<SpillwayError | undefined> {
    const { group } = this.#unknown!;
    try {
      const result = await this.#settle(this.#unknown!);
      for (const [index, { options }] of group.entries()) this.#keep(options.retryToken, result?.outcomes[index]);
      return undefined;
    } catch (error) {
      return this.#explain(error).error;
    }
  }

  #keep(retryToken: object | undefined, outcome: BatchOutcome | undefined): void {
    if (!retryToken || !outcome || outcome instanceof SpillwayError) return;
    this.#claims.set(retryToken, outcome);
    this.#unclaimed++;
  }

  async #claimOrSend(group: readonly Batch[]): Promise<readonly BatchOutcome[]> {
    const claimed = group.map((batch) => this.#claim(batch));
    const fresh = group.filter((_, index) => !claimed[index]);
    const outcomes = fresh.length === 0 ? [] : [...(await this.#send(fresh))];
    return claimed.map((outcome) => outcome ?? outcomes.shift()!);
  }

  /** Finds out what became of a group. If that cannot be found out yet it throws as the driver does, and the group stays unknown. */
  async #settle({ number, group }: SentGroup): Promise<GroupResult | undefined> {
    const result = await this.#dependencies.driver.settle(number, group);
    this.#unknown = undefined;
    if (result) this.#dependencies.onAppended(result);
    return result;
  }

  #claim({ options: { retryToken } }: Batch): Appended | undefined {
    const outcome = retryToken && this.#claims.get(retryToken);
    if (outcome && this.#claims.delete(retryToken)) this.#unclaimed--;
    return outcome;
  }

  #explain(error: unknown): DriverFailure {
    const { driver, onReplaced } = this.#dependencies;
    return error instanceof LogReplacedError ? { error: onReplaced() } : driver.failure(error);
  }

  /** Waits before another try; false if there is no time left for one. */
  async #waitToRetry(tries: number, deadline: number): Promise<boolean> {
    if (performance.now() >= deadline || this.#hurrying.signal.aborted) return false;
    await pause(backoffDelay(tries, retry, 0, Math.random()), this.#hurrying.signal);
    return true;
  }
}

/** Whether a batch is appended again, by its retry token or its idempotency key. */
function isRetryOf({ options: { retryToken, idempotency } }: Batch): (earlier: Batch) => boolean {
  return ({ options: earlier }) => {
    if (retryToken && retryToken === earlier.retryToken) return true;
    const { key, owner } = earlier.idempotency ?? {};
    return idempotency !== undefined && idempotency.key === key && idempotency.owner === owner;
  };
}

function unknownError(cause: SpillwayError): SpillwayError {
  return new SpillwayError("append-unknown", `${cause.message}: the events may have been appended`, { cause });
}
