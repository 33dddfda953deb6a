import { randomUUID } from "node:crypto";
import { SpillwayError } from "../../errors.ts";
import { backoffDelay } from "../../util/backoff.ts";
import { newEpoch } from "../cursor.ts";
import type { Appended } from "../log.ts";
import type { Batch } from "./append-queue.ts";
import type { RunStatement } from "./connections.ts";
import { isAbsent, isWorthRepeating, storeError } from "./failure.ts";
import { encodeGroup, type GroupResult, loggedEvents, type Outcome, readOutcomes } from "./group.ts";
import type { PostgresLog } from "./postgres-log.ts";
import type { Queries } from "./queries.ts";
import { toState } from "./streams.ts";

/** Sends groups of batches, one at a time. */
export interface GroupSender {
  /** Appends a group; resolves to what became of each batch, and never rejects but with what became of all. */
  send(batches: readonly Batch[]): Promise<Outcome[]>;
  /** From now on an answer that was lost is not waited for. */
  hurry(): void;
}

/** What sending needs of the store. */
export interface GroupSenderDependencies {
  readonly queries: Queries;
  readonly write: RunStatement;
}

/** A group that was sent and never answered for. */
interface Doubt {
  readonly number: number;
  readonly batches: readonly Batch[];
}

/** How long a group is tried again whose answer was lost, in ms. */
const patience = 8_000;

/** Between two tries, in ms. */
const retry = { min: 50, max: 1_000 };

/**
 * Makes the sender of a log's groups. Each group has a number, by which the database knows one that it has appended already: a group
 * whose answer was lost is sent again under its number until there is an answer. If that takes too long, its callers are told that the
 * store is away, and the group is in doubt: nothing else is sent before it was either called off or found to be appended. Then a call
 * that is made again, with the same array of events, gets the numbers that it has already.
 */
export function createGroupSender(log: PostgresLog, { queries, write }: GroupSenderDependencies): GroupSender {
  // Another one for each log: after a reset the numbers begin anew, and the database may remember the ones before.
  const writer = randomUUID();
  const appended = new WeakMap<readonly unknown[], Appended>();
  let hurried = false;
  let number = 0;
  let doubt: Doubt | undefined;

  async function ask(batches: readonly Batch[], as: number): Promise<GroupResult> {
    const { id, head, lastTime } = log.known();
    const values = [id, log.epoch, head, lastTime, newEpoch(), writer, as, ...encodeGroup(batches)];
    const [row] = await write(queries.append(values));
    const result = row!.result as GroupResult;
    if (result.epoch !== log.epoch) throw log.replace();
    return result;
  }

  /** Sends a group until it is known what became of it. */
  async function sendSurely(batches: readonly Batch[], as: number): Promise<GroupResult> {
    const end = performance.now() + patience;
    let sent = false;
    for (let failures = 1; ; failures++) {
      try {
        return await ask(batches, as);
      } catch (error) {
        if (isAbsent(error)) throw log.replace();
        sent ||= isWorthRepeating(error);
        if (!sent || log.isReplaced()) throw error;
        if (performance.now() > end || hurried) {
          doubt = { number: as, batches };
          throw error;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, backoffDelay(failures, retry, 0, Math.random())));
    }
  }

  /** Calls off the group that is in doubt, or finds that it was appended. */
  async function settleDoubt(): Promise<void> {
    if (!doubt) return;
    const result = await ask([], doubt.number);
    if (result.size > 0) {
      for (const [place, outcome] of readOutcomes(doubt.batches, result).entries()) {
        const { events } = doubt.batches[place]!;
        if (events.length > 0 && !(outcome instanceof SpillwayError)) appended.set(events, outcome);
      }
      log.take(toState(result), []);
    }
    doubt = undefined;
  }

  /** Appends a group; returns what became of each batch. */
  async function appendGroup(batches: readonly Batch[]): Promise<Outcome[]> {
    if (log.isReplaced()) throw log.replace();
    await settleDoubt();
    const known = batches.map(recall);
    const fresh = batches.filter((_, place) => !known[place]);
    const outcomes = fresh.length === 0 ? [] : await appendFresh(fresh);
    return known.map((outcome) => outcome ?? outcomes.shift()!);
  }

  async function appendFresh(batches: readonly Batch[]): Promise<Outcome[]> {
    try {
      const result = await sendSurely(batches, ++number);
      const outcomes = readOutcomes(batches, result);
      const isNext = result.times && result.start <= log.known().head;
      log.take(toState(result), isNext ? loggedEvents(batches, outcomes, result.times) : []);
      return outcomes;
    } catch (error) {
      const failure = storeError(error);
      // A full disk is a matter of all; what has no code of its own may be the fault of one, which then fails alone.
      const mayBeOne = batches.length > 1 && !(error instanceof SpillwayError) && failure.code === "store-unavailable";
      if (!mayBeOne || doubt) return batches.map(() => failure);
      const outcomes: Outcome[] = [];
      for (const batch of batches) outcomes.push(...(await appendFresh([batch])));
      return outcomes;
    }
  }

  /** The numbers that a batch has had since before its caller was told that the store is away. */
  function recall({ events }: Batch): Outcome | undefined {
    const outcome = appended.get(events);
    appended.delete(events);
    return outcome;
  }

  return { send: appendGroup, hurry: () => void (hurried = true) };
}
