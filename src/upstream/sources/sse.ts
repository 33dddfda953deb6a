import { createParser, eventStreamType, isEventStream } from "../../sse/index.ts";
import type { BatcherOptions } from "../batcher.ts";
import type { Source } from "../source.ts";
import type { UpstreamOptions } from "../upstream.ts";
import { createHttpStreamSource } from "./http-stream.ts";
import { maxNameBytes } from "./mapping.ts";

/** Creates a source that sends Server-Sent Events. */
export function createSseSource(options: UpstreamOptions): Source {
  return createHttpStreamSource(options, {
    accept: eventStreamType,
    isRightType: isEventStream,
    createDecoder: ({ onRetry }) => sseDecoder(options.maxEventBytes, onRetry),
  });
}

/** The decoder of event streams. */
export function sseDecoder(maxEventBytes: number, onRetry: (ms: number) => void): BatcherOptions["createDecoder"] {
  return (lastEventId, onBlock) =>
    createParser({ lastEventId, maxEventBytes, maxNameBytes, onEvent: onBlock, onId: onBlock, onRetry });
}
