import { setTimeout as delay } from "node:timers/promises";
import { newEpoch } from "../cursor.ts";
import { beginEpoch, type FoundLog, lastRecord } from "./genesis.ts";
import type { Head } from "./head.ts";
import type { Queries, StreamFacts } from "./queries.ts";
import { emptyStanding, readRecord } from "./record.ts";
import { tokenOfSubjects } from "./schema.ts";

/** Looks whether NATS still has the log that this node knows. */
export interface Health {
  /**
   * Does nothing if it has. If it has lost it, or its end, a new epoch begins there, and this log ends.
   * @throws {SpillwayError} `store-unavailable`.
   */
  check(): Promise<void>;
}

/** How long a JetStream stream must be gone, in ms, before it is taken for deleted: servers that start may not know it yet. */
const goneAfter = 500;

/** How far this node knew the log. */
type Known = Pick<Head, "seq" | "recordSeq" | "token">;

/** Makes the checks of a log; `onReplaced` is called when NATS has another one instead. */
export function createHealth(queries: Queries, log: FoundLog, head: Head, onReplaced: () => void): Health {
  const { names, created } = log;
  let checking: Promise<void> | undefined;

  async function factsOrNone(): Promise<StreamFacts | undefined> {
    const facts = await queries.facts(names.stream);
    if (facts) return facts;
    await delay(goneAfter);
    return queries.facts(names.stream);
  }

  /** Whether it is the JetStream stream that this log began with. */
  function isSame(facts: StreamFacts | undefined): facts is StreamFacts {
    return facts?.created === created && tokenOfSubjects(facts.subjects) === tokenOfSubjects([names.control]);
  }

  /** Whether the message with the record is there. One that was replaced by a later one is gone, and yet not lost. */
  async function holds({ seq, recordSeq, token }: Known): Promise<boolean> {
    const message = await queries.at(names.stream, recordSeq);
    if (message) return readRecord(message.headers)?.token === token;
    const facts = await queries.facts(names.stream);
    return (facts?.lastSeq ?? 0) > seq;
  }

  async function look(): Promise<void> {
    // Taken before anything is asked: answers know at least as much.
    const known: Known = { seq: head.seq, recordSeq: head.recordSeq, token: head.token };
    const facts = await factsOrNone();
    if (!isSame(facts)) return onReplaced();
    if (facts.messages > 0 && facts.lastSeq >= known.seq && (await holds(known))) return;
    const last = await lastRecord(queries, names);
    if (last && last.record.epoch !== head.standing.epoch) return onReplaced();
    // What is left goes on under a new epoch: ids that were given out for what is lost must not fit what comes in its place.
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
