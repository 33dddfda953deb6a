import { setTimeout as delay } from "node:timers/promises";
import { newEpoch } from "../cursor.ts";
import { beginEpoch, type FoundLog, lastRecord } from "./genesis.ts";
import type { Head } from "./head.ts";
import type { Queries, StreamFacts } from "./queries.ts";
import { emptyStanding, readRecord } from "./record.ts";
import { tokenOfSubjects } from "./schema.ts";

/** Checks whether NATS still has the log that this node knows. */
export interface Health {
  /**
   * Does nothing if NATS still has the log. If it has lost the log or its end, a new epoch begins in NATS, and this log
   * ends.
   * @throws {SpillwayError} `store-unavailable`.
   */
  check(): Promise<void>;
}

/**
 * How long a JetStream stream must be missing before it counts as deleted, in ms: a starting server may not know it
 * yet.
 */
const goneAfter = 500;

/** How far this node knew the log before a check. */
type Known = Pick<Head, "seq" | "recordSeq" | "token">;

/** Makes the health check of a log. `onReplaced` is called if NATS has another log instead. */
export function createHealth(queries: Queries, log: FoundLog, head: Head, onReplaced: () => void): Health {
  const { names, created } = log;
  let checking: Promise<void> | undefined;

  async function factsOrNone(): Promise<StreamFacts | undefined> {
    const facts = await queries.facts(names.stream);
    if (facts) return facts;
    await delay(goneAfter);
    return queries.facts(names.stream);
  }

  /** Whether it is the JetStream stream of this log. */
  function isSame(facts: StreamFacts | undefined): facts is StreamFacts {
    return facts?.created === created && tokenOfSubjects(facts.subjects) === tokenOfSubjects([names.control]);
  }

  /**
   * Whether the message with the last known record still exists, or was replaced by a later one and thus is not lost.
   */
  async function holds({ seq, recordSeq, token }: Known): Promise<boolean> {
    const message = await queries.at(names.stream, recordSeq);
    if (message) return readRecord(message.headers)?.token === token;
    const facts = await queries.facts(names.stream);
    return (facts?.lastSeq ?? 0) > seq;
  }

  async function look(): Promise<void> {
    // Read before any request, so that the answers are at least as recent.
    const known: Known = { seq: head.seq, recordSeq: head.recordSeq, token: head.token };
    const facts = await factsOrNone();
    if (!isSame(facts)) return onReplaced();
    if (facts.messages > 0 && facts.lastSeq >= known.seq && (await holds(known))) return;
    const last = await lastRecord(queries, names);
    if (last && last.record.epoch !== head.standing.epoch) return onReplaced();
    // The rest of the log continues in a new epoch, so that ids of lost events do not match the events that replace
    // them.
    await beginEpoch(queries, names, { ...(last?.record ?? emptyStanding("")), epoch: newEpoch() }, facts.lastSeq);
    const next = await lastRecord(queries, names);
    if (next && next.record.epoch !== head.standing.epoch) onReplaced();
    else await look();
  }

  return {
    check: () =>
      (checking ??= (async () => {
        if (!head.ended) await look();
      })().finally(() => (checking = undefined))),
  };
}
