import { SpillwayError } from "../../errors.ts";
import type { NatsHeaders } from "./driver.ts";

/**
 * The state of a stream's log after a message. Every message contains it, so the last message alone has the current
 * state, and any other message is a starting point for finding an event.
 */
export interface Standing {
  readonly epoch: string;
  /** The number of the last event. */
  readonly head: number;
  /** Bytes of the texts of all events ever appended. */
  readonly bytes: number;
  /** Time of the last event, in ms since 1970. */
  readonly time: number;
  /** When the last message was written, by the clock of its node, in ms since 1970; never decreases. */
  readonly at: number;
  readonly upstreamCursor?: string | undefined;
  /** The latest fence; 0 before the first lease. */
  readonly fence: number;
  readonly earliest: number;
  /** The part of `bytes` that belongs to events before `earliest`. */
  readonly trimmed: number;
  /** No message before this one in the JetStream stream contains an event from `earliest` on. */
  readonly floor: number;
}

/** The content of a message's header. */
export interface LogRecord extends Standing {
  /** Random: identifies this message. */
  readonly token: string;
  /** Number of events in the message; the last one is `head`. */
  readonly count: number;
  /** Bytes of their texts. */
  readonly size: number;
  /** The messages that contain the body, if it did not fit into this one. */
  readonly pieces?: readonly number[] | undefined;
  /** Fingerprint of the request with the idempotency key, if the message has one. */
  readonly fingerprint?: string | undefined;
}

/** The header that holds a record, as JSON. */
const recordHeader = "Spillway-Record";

/** The record version that is written, and the latest that can be read. */
const version = 1;

/** Puts a record into headers. */
export function writeRecord(headers: NatsHeaders, record: LogRecord): void {
  headers.set(recordHeader, JSON.stringify({ version, ...record }));
}

/**
 * The record of a message; `undefined` if it has none.
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

/** The standing of an empty log. */
export function emptyStanding(epoch: string): Standing {
  return { epoch, head: 0, bytes: 0, time: 0, at: 0, fence: 0, earliest: 1, trimmed: 0, floor: 1 };
}

/** The record of a message without events. */
export function controlRecord(standing: Standing, token: string): LogRecord {
  return { ...standingOf(standing), token, count: 0, size: 0 };
}

/** Only the standing of a record. */
export function standingOf(record: Standing): Standing {
  const { epoch, head, bytes, time, at, upstreamCursor, fence, earliest, trimmed, floor } = record;
  return { epoch, head, bytes, time, at, upstreamCursor, fence, earliest, trimmed, floor };
}
