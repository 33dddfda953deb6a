import { setTimeout } from "node:timers/promises";
import { SpillwayError } from "../../errors.ts";
import { newEpoch } from "../cursor.ts";
import { isUnserved, WrongSequenceError } from "./failure.ts";
import type { NatsLocation } from "./location.ts";
import type { Queries, StoredMessage } from "./queries.ts";
import { controlRecord, emptyStanding, type LogRecord, readRecord, type Standing } from "./record.ts";
import { logConfig, logNames, type LogNames, logStreamName, tokenOfSubjects } from "./schema.ts";

/** A log that was found in NATS. */
export interface FoundLog {
  readonly names: LogNames;
  /** When its JetStream stream was created. */
  readonly created: string;
  /** The last message with a record. */
  readonly seq: number;
  readonly record: LogRecord;
}

/** Maximum number of attempts, because other nodes may do the same at the same time. */
const tries = 20;

/** The pause, in ms, after a stream was found that another node is creating: it is visible before it takes messages. */
const unservedDelay = 50;

/**
 * Finds the log of a stream, and creates it on first use. Nodes that do so at the same time get the same log.
 * @throws {SpillwayError} `store-unavailable`, `store-full`, `store-schema`, `store-corrupt`.
 */
export async function findOrMakeLog(queries: Queries, location: NatsLocation, stream: string): Promise<FoundLog> {
  const name = logStreamName(location.prefix, stream);
  for (let turn = 0; turn < tries; turn++) {
    const facts = await queries.facts(name);
    if (!facts) {
      await queries.create(logConfig(location, stream, logNames(location.prefix, stream, newEpoch())));
      continue;
    }
    const names = logNames(location.prefix, stream, tokenOfSubjects(facts.subjects));
    const found = await lastRecord(queries, names);
    if (found) return { names, created: facts.created, ...found };
    // New or purged: its numbers start again at 1, in a new epoch.
    try {
      await beginEpoch(queries, names, emptyStanding(newEpoch()), facts.lastSeq);
    } catch (error) {
      if (!isUnserved(error)) throw error;
      await setTimeout(unservedDelay);
    }
  }
  throw new SpillwayError("store-unavailable", `the NATS stream ${name} keeps being changed by others`);
}

/** The last message of a log that has a record. */
export async function lastRecord(
  queries: Queries,
  names: LogNames,
): Promise<Pick<FoundLog, "seq" | "record"> | undefined> {
  const last = await Promise.all([
    queries.last(names.stream, names.control),
    queries.last(names.stream, names.batches),
  ]);
  const found = last.filter((message): message is StoredMessage => message !== undefined);
  const message = found.toSorted((one, other) => one.seq - other.seq).at(-1);
  const record = readRecord(message?.headers);
  return message && record && { seq: message.seq, record };
}

/**
 * Writes the first record of an epoch directly after the message `lastSeq`; does nothing if there is a later message.
 */
export async function beginEpoch(
  queries: Queries,
  names: LogNames,
  standing: Standing,
  lastSeq: number,
): Promise<void> {
  const record = controlRecord(standing, newEpoch());
  try {
    await queries.publish({ subject: names.control, data: noData, record, expected: lastSeq, replaces: true });
  } catch (error) {
    if (!(error instanceof WrongSequenceError)) throw error;
  }
}

const noData = new Uint8Array();
