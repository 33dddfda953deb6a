import type { Batch } from "../engine/driver.ts";
import { textBytes } from "../event-bytes.ts";
import { encodeEvents } from "./body.ts";

/** A batch, and its events as they are stored. */
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

/** A message has at most so many events, so that whoever wants one of them need not read very many. */
const groupEvents = 4_096;

/** Characters of an event beside its data, about. */
const eventCharacters = 64;

/**
 * How many of the batches that wait share a message of about `maxCharacters` at most; one that turns out larger is stored in pieces. A
 * batch with an idempotency key goes alone, since its subject is the key's; so does one that is too large for a message.
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
