import { SpillwayError } from "../../errors.ts";
import type { NatsHeaders } from "./driver.ts";

/**
 * Where a stream's log stands behind a message. Every message says it, so the last one alone tells all, and any other one is a
 * place to look for an event from.
 */
export interface Standing {
  readonly epoch: string;
  /** The number of the last event. */
  readonly head: number;
  /** Bytes of the texts of all events ever appended. */
  readonly bytes: number;
  /** Time of the last event, in ms since 1970. */
  readonly time: number;
  /** When a message was written last, by the clock of its node, in ms since 1970; never decreases. */
  readonly at: number;
  readonly upstreamCursor?: string | undefined;
  /** The latest fence; 0 before the first lease. */
  readonly fence: number;
  readonly earliest: number;
  /** Those of them that are before `earliest`. */
  readonly trimmed: number;
  /** No message before this one in the JetStream stream holds an event from `earliest` on. */
  readonly floor: number;
}

/** What a message says in its header. */
export interface LogRecord extends Standing {
  /** Random: tells this message from every other one. */
  readonly token: string;
  /** Events in the message: the last of them is `head`. */
  readonly count: number;
  /** Their bytes. */
  readonly size: number;
  /** The messages that hold the body, where it did not fit into this one. */
  readonly pieces?: readonly number[] | undefined;
  /** Of the request with the idempotency key, where the message has one. */
  readonly fingerprint?: string | undefined;
}

/** The header that holds a record, as JSON. */
const recordHeader = "Spillway-Record";

/** What this version writes, and the latest that it reads. */
const version = 1;

/** Puts a record into headers. */
export function writeRecord(headers: NatsHeaders, record: LogRecord): void {
  headers.set(recordHeader, JSON.stringify({ version, ...record }));
}

/**
 * The record of a message; `undefined` where it has none.
 * @throws {SpillwayError} `store-schema`, `store-corrupt`.
 */
export function readRecord(headers: NatsHeaders | undefined): LogRecord | undefined {
  const text = headers?.get(recordHeader);
  if (!text) return undefined;
  let record: LogRecord & { readonly version: number };
  try {
    record = JSON.parse(text) as LogRecord & { readonly version: number };
  } catch (cause) {
    throw new SpillwayError("store-corrupt", "a message in the log's NATS stream has no readable record", { cause });
  }
  if (record.version > version) throw new SpillwayError("store-schema");
  return record;
}

/** The standing of a log without any event. */
export function emptyStanding(epoch: string): Standing {
  return { epoch, head: 0, bytes: 0, time: 0, at: 0, fence: 0, earliest: 1, trimmed: 0, floor: 1 };
}

/** The record of a message without events. */
export function controlRecord(standing: Standing, token: string): LogRecord {
  return { ...standingOf(standing), token, count: 0, size: 0 };
}

/** The standing alone. */
export function standingOf(record: Standing): Standing {
  const { epoch, head, bytes, time, at, upstreamCursor, fence, earliest, trimmed, floor } = record;
  return { epoch, head, bytes, time, at, upstreamCursor, fence, earliest, trimmed, floor };
}
