import type { Batch } from "../engine/driver.ts";
import { textBytes } from "../event-bytes.ts";
import { encodeEvents } from "./body.ts";

/** A batch, and its events as stored. */
export interface EncodedBatch {
  readonly batch: Batch;
  readonly text: string;
  /** Bytes of the events' texts. */
  readonly size: number;
}

/** Encodes a batch. */
export function encodeBatch(batch: Batch): EncodedBatch {
  const { events } = batch;
  return { batch, text: encodeEvents(events), size: events.reduce((sum, event) => sum + textBytes(event), 0) };
}

/** Maximum number of events in a shared message, so that a reader of one event need not read too many others. */
const groupEvents = 4_096;

/** Approximate number of characters of an event in addition to its data. */
const eventCharacters = 64;

/**
 * How many of the waiting batches share a message of at most about `maxCharacters`; a message that turns out larger is
 * stored in pieces. A batch with an idempotency key has its own message, because the subject contains the key; so has a
 * batch that is too large for a shared one.
 */
export function groupLength(batches: readonly Batch[], maxCharacters: number): number {
  let [count, events, characters] = [0, 0, 0];
  for (const batch of batches) {
    const alone = batch.options.idempotency !== undefined;
    events += batch.events.length;
    for (const { data } of batch.events) characters += data.length + eventCharacters;
    if (count > 0 && (alone || characters > maxCharacters || events > groupEvents)) return count;
    count++;
    if (alone) return count;
  }
  return count;
}
