import { SpillwayError } from "../../errors.ts";
import type { Mutable } from "../../util/mutable.ts";
import type { Appended } from "../log.ts";
import { textBytes } from "../event-bytes.ts";
import type { SqliteDatabase, SqliteStatement } from "./driver.ts";
import { toFailure } from "./failure.ts";
import type { IdempotencyKeys } from "./idempotency-keys.ts";
import { eventWidth, type AppendOutcome, type AppendRequest, type AppendResult, type StreamRow } from "./messages.ts";
import type { Streams } from "./streams.ts";
import { encodeOptionalText, encodeText } from "./text.ts";
import { transact } from "./transaction.ts";

/** Appends batches. */
export interface Appender {
  /** Appends batches of any streams in one transaction, and returns the outcome of each. */
  append(requests: readonly AppendRequest[]): AppendOutcome[];
  /**
   * Finds the outcomes of a group of one stream whose writer ended before it answered; `[]` if it was not appended.
   * `head` is the stream's head before the group. Nothing else writes to the stream, so the events after it are those
   * of the group.
   */
  settle(requests: readonly AppendRequest[], head: number): Appended[];
}

/** A stream as it will be once the transaction is committed. */
type Draft = Mutable<StreamRow>;

/** Makes the appender of a writer. */
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
      // A full disk affects all batches. An unspecific error may be caused by one batch, which then fails alone.
      if (requests.length === 1 || failure.code !== "store-unavailable") return requests.map(() => failure);
      return requests.flatMap((request) => append([request]));
    }
  }

  function settle(requests: readonly AppendRequest[], head: number): Appended[] {
    let { head: last } = streams.get(requests[0]!.stream);
    if (last === head) return [];
    const settled = requests.toReversed().map((request) => {
      const { stream, idempotency, now, events } = request;
      const remembered = idempotency && keys.replay(stream, idempotency, now);
      // A key whose append ends at the current last event was appended by this group, not replayed.
      if (remembered && remembered.last !== last) return remembered;
      const first = remembered?.first ?? last - events.length / eventWidth + 1;
      const appended = { first, last, replayed: false };
      last = first - 1;
      return appended;
    });
    return settled.toReversed();
  }

  return { append, settle };
}

/** Inserts a batch after the draft's head, and advances the draft. */
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
