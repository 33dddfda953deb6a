import { createBatcher, type BatcherOptions } from "../batcher.ts";
import { createOverlap } from "../overlap.ts";
import type { Attempt, SourceBatch } from "../source.ts";

/** What is known of a connection. */
export interface ResumedConnection<Input> extends Pick<BatcherOptions<Input>, "createDecoder"> {
  /** The last event id that the connection resumed with. */
  readonly cursor: string | undefined;
  /** How a source that is a Spillway has resumed; `undefined` for other sources. */
  readonly outcome: string | undefined;
}

/** Turns what a connection receives into batches, without the events that the source repeats after it has resumed. */
export type ResumedBatches = <Input>(
  received: AsyncIterable<Input>,
  connection: ResumedConnection<Input>,
  attempt: Attempt,
) => AsyncGenerator<SourceBatch, void, undefined>;

/** Creates the {@link ResumedBatches} of all connections of one source. */
export function createResumedBatches(): ResumedBatches {
  /**
   * The last event id of a client that has read the whole log. After a start it is assumed to be the cursor. If the
   * source had sent the cursor without an event, the next event lacks the id, and a client that resumes gets that event
   * twice.
   */
  let heldId: string | undefined;

  return async function* batches(received, { cursor, outcome, createDecoder }, { history, signal, count, warn }) {
    const hasEvents = history.hasEvents();
    if (hasEvents) heldId ??= history.cursor() ?? "";
    const resumed = outcome === "resumed";
    const onUncertain = (): void => warn(uncertainWarning);
    const batcher = createBatcher({
      cursor,
      // Without events, there are none that the source could repeat.
      overlap:
        cursor === undefined || !hasEvents
          ? undefined
          : createOverlap(history, { cursor, resumed, signal, onUncertain }),
      spillway: outcome !== undefined,
      heldId,
      createDecoder,
      onCount: (counter) => count(counter, counter === "refused" ? reservedWarning : undefined),
    });
    for await (const input of received)
      for await (const batch of batcher.push(input)) {
        yield batch;
        heldId = batch.events.findLast(({ id }) => id !== undefined)?.id ?? heldId;
      }
  };
}

const uncertainWarning =
  "the source has not shown that it replays: its events without an id are kept, and some may be stored twice";

const reservedWarning =
  "the source sent an event whose type begins with spillway. but is not a Spillway: such events are dropped; " +
  "if it is one, make sure that proxies pass the Spillway-Resume header of its responses";
