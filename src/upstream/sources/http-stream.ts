import type { BatcherOptions } from "../batcher.ts";
import { assertContent, connect, discard, headerOf, type UpstreamResponse } from "../connect.ts";
import { readStream } from "../read-stream.ts";
import { sendable } from "../request.ts";
import type { Attempt, Source } from "../source.ts";
import { createTransport } from "../transport.ts";
import type { UpstreamOptions } from "../upstream.ts";
import { createResumedBatches } from "./resumed-batches.ts";

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
  const batches = createResumedBatches();

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
          batches: batches(
            readStream(response.body, options.timeouts.idle, attempt.signal),
            {
              cursor,
              outcome: headerOf(response.headers, "spillway-resume"),
              createDecoder: format.createDecoder(attempt),
            },
            attempt,
          ),
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
