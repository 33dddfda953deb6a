import type { AppendOptions, NewEvent } from "../log.ts";

/** One call of `append`. */
export interface Batch {
  /** The caller's own array, by which a call that is made again is known. */
  readonly events: readonly NewEvent[];
  /** Of the texts of each event. */
  readonly bytes: readonly number[];
  readonly options: AppendOptions;
  /** The clock at the call, in ms since 1970. */
  readonly clock: number;
}

/** A group ends with the batch that reaches one of these: it bounds the time and the memory of a statement. */
const groupEvents = 4_096;
const groupBytes = 8 * 1024 * 1024;

/** How many of the batches that wait make up the next group. */
export function groupLength(queue: readonly { readonly batch: Batch }[]): number {
  let events = 0;
  let bytes = 0;
  for (const [index, { batch }] of queue.entries()) {
    events += batch.events.length;
    bytes += batch.bytes.reduce((sum, each) => sum + each, 0);
    if (events >= groupEvents || bytes >= groupBytes) return index + 1;
  }
  return queue.length;
}
