import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { SpillwayError } from "../../errors.ts";
import type { AppendOutcome, AppendRequest } from "./append-queue.ts";
import type { Connections } from "./connections.ts";
import { createCredits } from "./credits.ts";
import type { Draft } from "./draft.ts";
import type { Known } from "./epoch.ts";
import { isContention, isServerError, toFailure, type Failure } from "./failure.ts";
import type { Escape } from "./statements.ts";
import type { Tables } from "./tables.ts";
import { isCommitted, prepareTransaction, type TransactionContext } from "./transaction.ts";

/** Appends to one stream. */
export interface Appender {
  /** Appends batches in one transaction, one group at a time, and answers each. Never rejects. */
  append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]>;
}

/** What an appender needs of its log. */
export interface AppenderDependencies {
  readonly connections: Connections;
  readonly tables: Tables;
  readonly escape: Escape;
  /** The database, for messages. */
  readonly place: string;
  /** The node's name, as leases have it. */
  readonly node: string;
  known(): Known;
  /** A transaction was committed; before its appends are answered. */
  onCommitted(draft: Draft): void;
  /** The stream has another log now. */
  onLost(): void;
}

/** A transaction whose end was not answered: it may have been committed. */
interface Doubt {
  readonly number: number;
  readonly requests: readonly AppendRequest[];
  readonly draft: Draft;
}

/** How long a group is tried, in ms. */
const patience = 10_000;

/** Makes the appender of a stream. */
export function createAppender(dependencies: AppenderDependencies): Appender {
  const { connections, tables, escape, place, node, known, onCommitted, onLost } = dependencies;
  const context: TransactionContext = { tables, escape, node, writer: randomBytes(16) };
  const credits = createCredits();
  let transactions = 0;
  let doubt: Doubt | undefined;

  function write(requests: readonly AppendRequest[]): Promise<Draft> {
    return connections.lend(async (connection) => {
      const number = ++transactions;
      const transaction = await prepareTransaction(connection, context, known(), number, requests);
      if (!transaction) {
        onLost();
        throw new SpillwayError("store-unavailable", `${place}: the log was lost`);
      }
      const { draft } = transaction;
      if (draft.writes) doubt = { number, requests, draft };
      await transaction.end();
      doubt = undefined;
      return draft;
    });
  }

  /**
   * Resolves the doubt, if there is one; returns what was committed.
   * @throws as the connections do, if that can't be found out in time: the doubt stays.
   */
  async function resolveDoubt(deadline: number): Promise<Doubt | undefined> {
    while (doubt) {
      const { number, draft } = doubt;
      try {
        const committed = await connections.lend((connection) => isCommitted(connection, context, known().id, number));
        const resolved = doubt;
        doubt = undefined;
        if (committed) onCommitted(draft);
        return committed ? resolved : undefined;
      } catch (error) {
        await pauseBeforeRetry(error, deadline);
      }
    }
    return undefined;
  }

  async function appendGroup(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    const deadline = performance.now() + patience;
    for (;;) {
      try {
        const draft = await write(requests);
        if (draft.writes) onCommitted(draft);
        return draft.outcomes;
      } catch (error) {
        const committed = await resolveDoubt(deadline);
        if (committed) return committed.draft.outcomes;
        await pauseBeforeRetry(error, deadline);
      }
    }
  }

  /** Each for itself: some may be in the log already, or what the server refuses may be the fault of one. */
  async function appendEach(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    const outcomes: AppendOutcome[] = [];
    for (const request of requests) {
      const failure = await settleDoubt();
      outcomes.push(failure ?? credits.take(request) ?? (await appendAll([request]))[0]!);
    }
    return outcomes;
  }

  async function appendAll(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    try {
      return await appendGroup(requests);
    } catch (error) {
      const failure = toFailure(error, place);
      const divisible = requests.length > 1 && !doubt && isServerError(error) && failure.code === "store-unavailable";
      return divisible ? appendEach(requests) : requests.map(() => failure);
    }
  }

  /** What was in doubt when its callers were answered. Nothing is written before it is settled; returns why it cannot be. */
  async function settleDoubt(): Promise<Failure | undefined> {
    const late = await resolveDoubt(performance.now() + patience).catch((error: unknown) => toFailure(error, place));
    if (late && "code" in late) return late;
    if (late) credits.add(late.requests, late.draft.outcomes);
    return undefined;
  }

  async function append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    const failure = await settleDoubt();
    if (failure) return requests.map(() => failure);
    return credits.empty ? appendAll(requests) : appendEach(requests);
  }

  return { append };
}

/** Waits a little if another try is worth while: the connection was lost, or somebody was in the way. Otherwise throws the error. */
async function pauseBeforeRetry(error: unknown, deadline: number): Promise<void> {
  const mayRetry = isContention(error) || !isServerError(error);
  if (!mayRetry || performance.now() > deadline) throw error;
  // Uneven, so that two nodes in each other's way part.
  await delay(10 + Math.random() * 40);
}
