import type { LogEvent } from "../log.ts";
import { decodeBody } from "./body.ts";
import type { Connection } from "./connection.ts";
import { createConsumer, inOrder } from "./deliveries.ts";
import type { Head } from "./head.ts";
import type { Queries, StoredMessage } from "./queries.ts";
import { type LogRecord, readRecord } from "./record.ts";
import type { LogNames } from "./schema.ts";

/** A message with events. */
export interface Batch {
  readonly seq: number;
  readonly record: LogRecord;
  readonly events: readonly LogEvent[];
}

/** The messages of a log that hold events. Errors are those of {@link Queries}. */
export interface Batches {
  /** Reads the events of a message; `undefined` if a part of it was removed. */
  decode(seq: number, record: LogRecord, data: Uint8Array): Promise<Batch | undefined>;
  /** The record of the first message with events at or after `seq`. */
  next(seq: number): Promise<Pick<Batch, "seq" | "record"> | undefined>;
  /** All batches from the message `seq` on, up to the last message that this node knows when it gets there. */
  forward(seq: number): AsyncGenerator<Batch, void>;
  /** All batches from the message `start` back to the message `end`. */
  backward(end: number, start: number): AsyncGenerator<Batch, void>;
}

/** Maximum number of concurrent message requests, and the number of bytes above which fewer are made. */
const maxWindow = 32;
const windowBytes = 1024 * 1024;

/** Maximum number of messages that one consumer delivers, and how long it may take, in ms. */
const scanMessages = 512;
const scanTime = 3_000;

/** Makes the access to the messages of a log. */
export function createBatches(connection: Connection, queries: Queries, names: LogNames, head: Head): Batches {
  const cache = createBatchCache();
  const prefix = names.batches.slice(0, -1);

  async function decode(seq: number, record: LogRecord, data: Uint8Array): Promise<Batch | undefined> {
    const pieces = record.pieces && (await Promise.all(record.pieces.map((piece) => queries.at(names.stream, piece))));
    if (pieces?.includes(undefined)) return undefined;
    const body = pieces ? Buffer.concat(pieces.map((piece) => piece!.data)) : data;
    return { seq, record, events: decodeBody(body, record) };
  }

  async function toBatch(message: StoredMessage | undefined, isKept = true): Promise<Batch | undefined> {
    if (!message?.subject.startsWith(prefix)) return undefined;
    const record = readRecord(message.headers);
    if (!record || record.count === 0) return undefined;
    const batch = await decode(message.seq, record, message.data);
    if (batch && isKept) cache.set(batch);
    return batch;
  }

  async function load(seq: number): Promise<Batch | undefined> {
    return cache.get(seq) ?? toBatch(await queries.at(names.stream, seq));
  }

  async function next(seq: number): Promise<Pick<Batch, "seq" | "record"> | undefined> {
    const cached = cache.get(seq);
    if (cached) return cached;
    for (let from = seq; ;) {
      const message = await queries.next(names.stream, from, names.batches);
      const record = readRecord(message?.headers);
      if (!message || record?.count !== 0) return message && record && { seq: message.seq, record };
      from = message.seq + 1;
    }
  }

  /** Requests messages one by one at first, then several at a time, and uses a consumer if many remain. */
  async function* forward(start: number): AsyncGenerator<Batch, void> {
    let window = 1;
    for (let seq = start; seq <= head.seq;) {
      if (window === maxWindow && head.seq - seq > maxWindow) {
        for await (const batch of scan(seq)) {
          yield batch;
          seq = batch.seq + 1;
        }
        window = 1;
        continue;
      }
      const seqs = range(seq, Math.min(seq + window - 1, head.seq));
      const found = (await Promise.all(seqs.map(load))).filter((batch) => batch !== undefined);
      yield* found;
      seq += seqs.length;
      // Any number of messages may have been removed here.
      if (found.length === 0) seq = (await next(seq))?.seq ?? Infinity;
      window = nextWindow(window, found);
    }
  }

  /** The batches that are stored from `seq` on now, or the first of them. */
  async function* scan(seq: number): AsyncGenerator<Batch, void> {
    const consumer = await createConsumer(connection, names.stream, seq, { subject: names.batches });
    const count = Math.min(consumer.pending, scanMessages);
    if (count === 0) return;
    const deliveries = await consumer.fetch({ max_messages: count, expires: scanTime, idle_heartbeat: scanTime / 2 });
    // Otherwise the driver would wait for the rest until it is connected again.
    const removeListener = connection.onLost(() => deliveries.stop());
    try {
      for await (const { info, subject, headers, data } of inOrder(deliveries, 0)) {
        const message = { seq: info.streamSequence, subject, time: 0, headers: headers!, data };
        const batch = await toBatch(message, false);
        if (batch) yield batch;
        if (info.streamSequence >= head.seq) return;
      }
    } finally {
      removeListener();
      deliveries.stop();
      // If this fails, the server removes the inactive consumer.
      consumer.delete().catch(() => {});
    }
  }

  async function* backward(end: number, start: number): AsyncGenerator<Batch, void> {
    let window = 1;
    for (let seq = start; seq >= end;) {
      const seqs = range(Math.max(seq - window + 1, end), seq).toReversed();
      const found = (await Promise.all(seqs.map(load))).filter((batch) => batch !== undefined);
      yield* found;
      seq -= seqs.length;
      window = nextWindow(window, found);
    }
  }

  return { decode, next, forward, backward };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** Requests more messages at a time while they are small. */
function nextWindow(window: number, found: readonly Batch[]): number {
  const bytes = found.reduce((sum, { record }) => sum + record.size, 0);
  return bytes > windowBytes ? Math.max(1, window >> 1) : Math.min(maxWindow, window * 2);
}

/** Caches the batches read last, so that small pages do not read a large message repeatedly. */
interface BatchCache {
  get(seq: number): Batch | undefined;
  set(batch: Batch): void;
}

/** Maximum size of the cache, in bytes of events and in messages. */
const cachedBytes = 4 * 1024 * 1024;
const cachedBatches = 32;

/** Makes an empty cache. */
function createBatchCache(): BatchCache {
  const batches = new Map<number, Batch>();
  let bytes = 0;

  return {
    get: (seq) => batches.get(seq),
    set(batch) {
      if (batches.has(batch.seq) || batch.record.size > cachedBytes) return;
      batches.set(batch.seq, batch);
      bytes += batch.record.size;
      for (const [seq, { record }] of batches) {
        if (bytes <= cachedBytes && batches.size <= cachedBatches) return;
        batches.delete(seq);
        bytes -= record.size;
      }
    },
  };
}
