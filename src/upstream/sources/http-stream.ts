import { createBatcher, type BatcherOptions } from "../batcher.ts";
import { assertContent, connect, discard, headerOf, type UpstreamResponse } from "../connect.ts";
import { createOverlap } from "../overlap.ts";
import { readStream } from "../read-stream.ts";
import { sendable } from "../request.ts";
import type { Attempt, Source, SourceBatch } from "../source.ts";
import { createTransport } from "../transport.ts";
import type { UpstreamOptions } from "../upstream.ts";

/** What a format of HTTP streams makes different. */
export interface StreamFormat {
  /** The `Accept` header. */
  readonly accept: string;
  isRightType(contentType: string | undefined): boolean;
  /** Creates the decoder of one connection; `refuse` counts an event that is dropped, with the reason. */
  createDecoder(attempt: Attempt): BatcherOptions["createDecoder"];
}

/** Creates a source whose events are the parts of one response that does not end. */
export function createHttpStreamSource(options: UpstreamOptions, format: StreamFormat): Source {
  /**
   * The last event id of a client that has read the whole log. After a start it is assumed to be the cursor. If the
   * source had sent the cursor without an event, the next event lacks the id, and a client that resumes gets that event
   * twice.
   */
  let heldId: string | undefined;

  async function* read(
    response: UpstreamResponse,
    cursor: string | undefined,
    attempt: Attempt,
  ): AsyncGenerator<SourceBatch> {
    const { history, signal } = attempt;
    const outcome = headerOf(response.headers, "spillway-resume");
    const hasEvents = history.hasEvents();
    if (hasEvents) heldId ??= history.cursor() ?? "";
    const batcher = createBatcher({
      cursor,
      // Without events, there are none that the source could repeat.
      overlap:
        cursor === undefined || !hasEvents
          ? undefined
          : createOverlap(history, {
              cursor,
              resumed: outcome === "resumed",
              onUncertain: () => attempt.warn(uncertainWarning),
            }),
      spillway: outcome !== undefined,
      heldId,
      createDecoder: format.createDecoder(attempt),
      onCount: (counter) => attempt.count(counter, counter === "refused" ? reservedWarning : undefined),
    });
    for await (const chunk of readStream(response.body, options.timeouts.idle, signal))
      for await (const batch of batcher.push(chunk)) {
        yield batch;
        heldId = batch.events.findLast(({ id }) => id !== undefined)?.id ?? heldId;
      }
  }

  return {
    async open({ url }, attempt) {
      const cursor = sendable(attempt.history.cursor(), options.resume);
      const transport = createTransport(options);
      try {
        const details = { headers: { accept: format.accept }, cursor, signal: attempt.signal };
        const response = await connect(transport, url, options, details);
        if (isGone(response)) {
          transport.close();
          return undefined;
        }
        assertContent(response, format.isRightType);
        return {
          resumed: cursor !== undefined,
          batches: read(response, cursor, attempt),
          close: () => transport.close(),
        };
      } catch (error) {
        transport.close();
        throw error;
      }
    },
    async probe({ url }, signal) {
      const transport = createTransport(options);
      try {
        const details = { headers: { accept: format.accept }, cursor: undefined, signal };
        const response = await connect(transport, url, options, details);
        discard(response);
        if (isGone(response)) return "gone";
        assertContent(response, format.isRightType);
        return "available";
      } finally {
        transport.close();
      }
    },
  };
}

/** `204` means that there are no more events (WHATWG HTML section 9.2.3). */
function isGone({ statusCode }: UpstreamResponse): boolean {
  return statusCode === 204;
}

const uncertainWarning =
  "the source has not shown that it replays: its events without an id are kept, and some may be stored twice";

const reservedWarning =
  "the source sent an event whose type begins with spillway. but is not a Spillway: such events are dropped; " +
  "if it is one, make sure that proxies pass the Spillway-Resume header of its responses";
