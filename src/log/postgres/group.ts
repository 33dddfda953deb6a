/** A group of batches as it goes to the database, and what comes back. */
import { SpillwayError } from "../../errors.ts";
import { keyName, replayAppend, type RememberedAppend } from "../idempotency.ts";
import type { Batch, BatchOutcome } from "../engine/driver.ts";
import { publisherIdOf, sourceIdOf } from "../engine/logged-events.ts";
import { textBytes } from "../event-bytes.ts";
import type { SqlRow, SqlValue } from "./driver.ts";
import { decodeText, encodeOptionalText, encodeText } from "./text.ts";

/** What the function `append_events` answers, but for the stream's row. */
export interface GroupAnswer extends SqlRow {
  /** `null` where the stream is gone. */
  readonly epoch: string | null;
  /** Batches in the group; 0 if it was called off. */
  readonly size: number;
  /** The head before it. */
  readonly start: number;
  readonly exceptions: readonly GroupException[];
  /** The time of each batch's events; absent where the group was found to have come before. */
  readonly times?: readonly (number | null)[];
}

/** A batch that appended nothing. */
interface GroupException {
  /** Its place in the group, from 1 on. */
  readonly batch: number;
  /** What its idempotency key was used for; absent where its lease is lost. */
  readonly remembered?: RememberedAppend;
}

/** The parameters of `append_events` that say what to append. */
export function encodeGroup(group: readonly Batch[]): SqlValue[] {
  const events = group.flatMap(({ events: each }) => each);
  return [
    group.map(({ clock }) => clock),
    group.map(({ options }) => options.fence ?? null),
    group.map(({ options }) => encodeOptionalText(options.upstreamCursor)),
    group.map(({ options }) => (options.idempotency ? keyName(options.idempotency) : null)),
    group.map(({ options }) => encodeOptionalText(options.idempotency?.fingerprint)),
    group.map(({ events: each }) => each.length),
    group.flatMap(({ events: each }, index) => each.map(() => index + 1)),
    events.map(({ event }) => encodeText(event)),
    events.map(({ channel }) => encodeOptionalText(channel)),
    events.map((event) => encodeOptionalText(sourceIdOf(event))),
    events.map((event) => encodeOptionalText(publisherIdOf(event))),
    events.map(({ data }) => encodeText(data)),
    events.map(textBytes),
  ];
}

/** What became of each batch of a group. */
export function readOutcomes(group: readonly Batch[], { start, exceptions }: GroupAnswer): BatchOutcome[] {
  const byPlace = new Map(exceptions.map((exception) => [exception.batch - 1, exception]));
  let head = start;
  return group.map((batch, place) => {
    const exception = byPlace.get(place);
    if (exception) return exceptionOutcome(batch, exception);
    const first = head + 1;
    head += batch.events.length;
    return { first, last: head, replayed: false };
  });
}

function exceptionOutcome({ options }: Batch, { remembered }: GroupException): BatchOutcome {
  if (!remembered || !options.idempotency) return new SpillwayError("lease-lost");
  try {
    const fingerprint = decodeText(remembered.fingerprint);
    return replayAppend({ ...remembered, fingerprint }, options.idempotency.fingerprint);
  } catch (error) {
    return error as SpillwayError;
  }
}
