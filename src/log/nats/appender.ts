import { SpillwayError } from "../../errors.ts";
import { idempotencyAge, keyName, replayAppend } from "../idempotency.ts";
import type { Appended, AppendOptions, Idempotency, NewEvent } from "../log.ts";
import { createAppendQueue, queuedAppend, type QueuedAppend } from "./append-queue.ts";
import { encodeBody } from "./body.ts";
import type { Committer, PlacedBatch } from "./committer.ts";
import { cursorOf, draftOf } from "./draft.ts";
import type { Queries } from "./queries.ts";
import { type LogRecord, readRecord, type Standing } from "./record.ts";
import type { LogNames } from "./schema.ts";

/** Appends batches to one log. */
export interface Appender {
  append(events: readonly NewEvent[], options: AppendOptions): Promise<Appended>;
  /** Resolves once nothing is queued or under way. */
  idle(): Promise<void>;
}

/** Room for the headers of a message beside the cursor, in bytes. */
const headerRoom = 4_096;

/** Makes the appender of a log. `maxPayload` is the largest message that the server takes, in bytes. */
export function createAppender(
  queries: Queries,
  names: LogNames,
  committer: Committer,
  maxPayload: () => number,
  now: () => number,
): Appender {
  const queue = createAppendQueue(sendGroup, () => maxPayload() / 2);

  async function sendGroup(group: readonly QueuedAppend[]): Promise<void> {
    let open = group;
    try {
      const body = encodeBody(open.map(({ text }) => text));
      const pieces = await storePieces(body, open);
      const draft = await committer.commit(async (standing) => {
        open = open.filter((append) => !refuse(append, standing) && !adopt(append));
        if (await replay(open[0])) open = [];
        const data = pieces ? noData : bodyOf(open, group, body);
        return draftOf(names, open, standing, { time: now(), data, pieces });
      });
      for (const [index, append] of open.entries()) resolve(append, draft!.batches[index]!);
    } catch (error) {
      for (const append of open) append.reject(error);
    }
  }

  /** Stores a body that is too large for one message, and returns where. Nobody sees it before a message names the pieces. */
  async function storePieces(body: Uint8Array, group: readonly QueuedAppend[]): Promise<number[] | undefined> {
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

  function refuse(append: QueuedAppend, { fence }: Standing): boolean {
    if (append.options.fence === undefined || append.options.fence >= fence) return false;
    append.reject(new SpillwayError("lease-lost"));
    return true;
  }

  function adopt(append: QueuedAppend): boolean {
    const batch = append.options.idempotency ? undefined : committer.adopt(append.identity);
    if (batch) resolve(append, batch);
    return batch !== undefined;
  }

  /** Answers an append whose key is known. Since its message would follow the last one known, a key that is not there stays so. */
  async function replay(append: QueuedAppend | undefined): Promise<boolean> {
    const idempotency = append?.options.idempotency;
    const remembered = idempotency && (await recordOf(idempotency));
    if (!remembered) return false;
    const { fingerprint = "", head, count, at } = remembered;
    append.resolve(
      replayAppend({ fingerprint, first: head - count + 1, last: head, time: at }, idempotency.fingerprint),
    );
    return true;
  }

  async function recordOf(idempotency: Idempotency): Promise<LogRecord | undefined> {
    const message = await queries.last(names.stream, names.keyed(keyName(idempotency)));
    const record = readRecord(message?.headers);
    return record && record.at > now() - idempotencyAge ? record : undefined;
  }

  return {
    append: (events, options) =>
      new Promise((resolveAppend, reject) => {
        queue.push(queuedAppend(events, options, resolveAppend, reject));
      }),
    idle: () => queue.idle(),
  };
}

const noData = new Uint8Array();

function resolve(append: QueuedAppend, { first, last }: PlacedBatch): void {
  append.resolve({ first, last, replayed: false });
}

/** The body of what is left of a group. */
function bodyOf(open: readonly QueuedAppend[], group: readonly QueuedAppend[], body: Uint8Array): Uint8Array {
  return open.length === group.length ? body : encodeBody(open.map(({ text }) => text));
}
