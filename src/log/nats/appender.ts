import { SpillwayError } from "../../errors.ts";
import type { Batch, BatchOutcome } from "../engine/driver.ts";
import { idempotencyAge, keyName, replayAppend } from "../idempotency.ts";
import { encodeBody } from "./body.ts";
import type { Committer } from "./committer.ts";
import { cursorOf, type Draft, draftOf } from "./draft.ts";
import { encodeBatch, type EncodedBatch } from "./encoded-batch.ts";
import type { Queries } from "./queries.ts";
import { readRecord, type Standing } from "./record.ts";
import type { LogNames } from "./schema.ts";

/** Appends groups of batches to one log. Errors are those of {@link Committer}. */
export interface Appender {
  /** Resolves to the outcome of each batch. */
  append(group: readonly Batch[]): Promise<readonly BatchOutcome[]>;
  /** The outcomes of the group whose outcome was unknown; `undefined` if it was not appended, and will not be. */
  settle(): Promise<readonly BatchOutcome[] | undefined>;
}

/** A group that is being appended. */
interface SentGroup {
  readonly group: readonly Batch[];
  /** Outcomes that are known before the message is stored: those of batches that are not part of it. */
  readonly outcomes: Map<Batch, BatchOutcome>;
  /** The other batches. */
  open: readonly EncodedBatch[];
}

/** Space for the headers of a message, except for the cursor, in bytes. */
const headerRoom = 4_096;

const noData = new Uint8Array();

/** Makes the appender of a log. `maxPayload` returns the largest message that the server accepts, in bytes. */
export function createAppender(
  queries: Queries,
  names: LogNames,
  committer: Committer,
  maxPayload: () => number,
): Appender {
  let sent: SentGroup | undefined;

  async function append(group: readonly Batch[]): Promise<readonly BatchOutcome[]> {
    const open = group.map(encodeBatch);
    const current: SentGroup = (sent = { group, outcomes: new Map(), open });
    const body = bodyOf(open);
    const pieces = await storePieces(body, open);
    const draft = await committer.append(async (standing) => {
      await exclude(current, standing);
      const data = pieces ? noData : current.open === open ? body : bodyOf(current.open);
      return draftOf(names, current.open, standing, { time: group.at(-1)!.clock, data, pieces });
    });
    return outcomesOf(current, draft);
  }

  /**
   * Stores a body that is too large for one message in pieces. They are not part of the log until a message names them.
   */
  async function storePieces(body: Uint8Array, group: readonly EncodedBatch[]): Promise<number[] | undefined> {
    const cursor = JSON.stringify(cursorOf(group) ?? "");
    if (body.byteLength + Buffer.byteLength(cursor) + headerRoom <= maxPayload()) return undefined;
    const pieces: number[] = [];
    const length = maxPayload() - headerRoom;
    for (let start = 0; start < body.byteLength; start += length) {
      const data = body.subarray(start, start + length);
      pieces.push(await queries.publish({ subject: names.pieces, data }));
    }
    return pieces;
  }

  /** Removes the batches from a group that append nothing in the current state of the log. */
  async function exclude(current: SentGroup, { fence }: Standing): Promise<void> {
    const { outcomes } = current;
    for (const { batch } of current.open)
      if ((batch.options.fence ?? fence) < fence) outcomes.set(batch, new SpillwayError("lease-lost"));
    if (outcomes.size > 0) current.open = current.open.filter(({ batch }) => !outcomes.has(batch));
    const first = current.open[0]?.batch;
    const replayed = first && (await replay(first));
    if (!replayed) return;
    outcomes.set(first, replayed);
    current.open = [];
  }

  /**
   * The outcome of a batch whose key is known. The batch is only appended directly after the last message known here,
   * so its key cannot be added in between.
   */
  async function replay({ options: { idempotency }, clock }: Batch): Promise<BatchOutcome | undefined> {
    if (!idempotency) return undefined;
    const message = await queries.last(names.stream, names.keyed(keyName(idempotency)));
    const record = readRecord(message?.headers);
    if (!record || record.at <= clock - idempotencyAge) return undefined;
    const { fingerprint = "", head, count, at } = record;
    try {
      return replayAppend({ fingerprint, first: head - count + 1, last: head, time: at }, idempotency.fingerprint);
    } catch (error) {
      return error as SpillwayError;
    }
  }

  return {
    append,
    async settle() {
      const draft = await committer.settle();
      return draft && outcomesOf(sent!, draft);
    },
  };
}

function bodyOf(open: readonly EncodedBatch[]): Uint8Array {
  return encodeBody(open.map(({ text }) => text));
}

function outcomesOf({ group, outcomes, open }: SentGroup, draft: Draft | undefined): readonly BatchOutcome[] {
  if (draft && open.length === group.length) return draft.appended;
  for (const [index, { batch }] of open.entries()) outcomes.set(batch, draft!.appended[index]!);
  return group.map((batch) => outcomes.get(batch)!);
}
