import { SpillwayError } from "../../errors.ts";
import type { Mutable } from "../../util/mutable.ts";
import { textBytes } from "../event-bytes.ts";
import type { SqliteDatabase, SqliteStatement } from "./driver.ts";
import { toFailure } from "./failure.ts";
import type { IdempotencyKeys } from "./idempotency-keys.ts";
import { eventWidth, type AppendOutcome, type AppendRequest, type AppendResult } from "./messages.ts";
import type { Stream, Streams } from "./streams.ts";
import { encodeOptionalText, encodeText } from "./text.ts";
import { transact } from "./transaction.ts";

/** Appends batches. */
export interface Appender {
  /** Appends batches of any streams in one transaction, and answers each. */
  append(requests: readonly AppendRequest[]): AppendOutcome[];
}

/** A stream as it will be once the transaction is committed. */
type Draft = Mutable<Stream>;

/** Makes the part of the writer that appends. */
export function createAppender(database: SqliteDatabase, streams: Streams, keys: IdempotencyKeys): Appender {
  const insertEvent = database.prepare("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");

  function appendOne(draft: Draft, request: AppendRequest): AppendOutcome {
    const { idempotency, upstreamCursor, now } = request;
    try {
      const replayed = idempotency && keys.replay(draft.id, idempotency, now);
      if (replayed) return { ...replayed, time: now, bytes: draft.bytes };
    } catch (error) {
      if (error instanceof SpillwayError) return toFailure(error);
      throw error;
    }
    const appended = insertEvents(insertEvent, draft, request);
    if (upstreamCursor !== undefined) draft.upstreamCursor = upstreamCursor === "" ? undefined : upstreamCursor;
    if (idempotency) keys.remember(draft.id, idempotency, appended, now);
    return appended;
  }

  function appendAll(requests: readonly AppendRequest[]): AppendOutcome[] {
    const drafts = new Map<number, Draft>();
    const outcomes = transact(database, () => {
      const results = requests.map((request) => {
        const draft = drafts.get(request.stream) ?? { ...streams.get(request.stream) };
        drafts.set(request.stream, draft);
        return appendOne(draft, request);
      });
      for (const draft of drafts.values()) streams.save(draft);
      return results;
    });
    for (const draft of drafts.values()) streams.set(draft);
    return outcomes;
  }

  function append(requests: readonly AppendRequest[]): AppendOutcome[] {
    try {
      return appendAll(requests);
    } catch (error) {
      const failure = toFailure(error);
      // A full disk is a matter of all; what has no code of its own may be the fault of one, which then fails alone.
      if (requests.length === 1 || failure.code !== "store-unavailable") return requests.map(() => failure);
      return requests.flatMap((request) => append([request]));
    }
  }

  return { append };
}

/** Inserts a batch behind the draft's head, and moves the draft on. */
function insertEvents(insert: SqliteStatement, draft: Draft, { events, now }: AppendRequest): AppendResult {
  const first = draft.head + 1;
  const time = Math.max(now, draft.lastTime);
  for (let index = 0; index < events.length; index += eventWidth) {
    const event = events[index]!;
    const data = events[index + 1]!;
    const channel = events[index + 2];
    const sourceId = events[index + 3];
    const publisherId = events[index + 4];
    const bytes = textBytes({ event, data, channel, upstreamId: sourceId ?? publisherId });
    insert.run(
      draft.id,
      ++draft.head,
      time,
      encodeText(event),
      encodeOptionalText(channel),
      encodeOptionalText(sourceId),
      encodeText(data),
      bytes,
      encodeOptionalText(publisherId),
    );
    draft.bytes += bytes;
    draft.lastTime = time;
  }
  return { first, last: draft.head, replayed: false, time, bytes: draft.bytes };
}
