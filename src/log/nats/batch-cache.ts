import type { Batch } from "./batches.ts";

/** Batches that were read last, so that small pages need not read a large message again and again. */
export interface BatchCache {
  get(seq: number): Batch | undefined;
  set(batch: Batch): void;
}

/** What is kept, in bytes of events and in messages, at most. */
const maxBytes = 4 * 1024 * 1024;
const maxBatches = 32;

/** Makes an empty cache. */
export function createBatchCache(): BatchCache {
  const batches = new Map<number, Batch>();
  let bytes = 0;

  return {
    get: (seq) => batches.get(seq),
    set(batch) {
      if (batches.has(batch.seq) || batch.record.size > maxBytes) return;
      batches.set(batch.seq, batch);
      bytes += batch.record.size;
      for (const [seq, { record }] of batches) {
        if (bytes <= maxBytes && batches.size <= maxBatches) return;
        batches.delete(seq);
        bytes -= record.size;
      }
    },
  };
}
