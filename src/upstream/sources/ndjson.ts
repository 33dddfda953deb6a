import { LineSplitter } from "../../sse/line-splitter.ts";
import type { Block, Decoder } from "../batcher.ts";
import { UpstreamFailure } from "../failure.ts";
import type { Attempt, Source } from "../source.ts";
import type { UpstreamOptions } from "../upstream.ts";
import { createHttpStreamSource } from "./http-stream.ts";
import { createBlocks, createMapper, type Mapper } from "./mapping.ts";

/** Creates a source whose response consists of lines of JSON, each of which is an event. */
export function createNdjsonSource(options: UpstreamOptions): Source {
  const { mapping, maxEventBytes } = options;
  const mapper = createMapper(mapping);
  return createHttpStreamSource(options, {
    accept: "application/x-ndjson, application/json;q=0.9",
    isRightType,
    createDecoder: (attempt) => (lastEventId, onBlock) =>
      createLineDecoder({ mapper, attempt, lastEventId, onBlock, maxEventBytes }),
  });
}

/** There is no registered media type, and many servers use that of JSON or none of their own. */
function isRightType(contentType = "application/octet-stream"): boolean {
  return /^(application\/(x-)?(ndjson|jsonl|jsonlines|json-lines|json|stream\+json|octet-stream)|text\/plain) *(;|$)/i.test(
    contentType,
  );
}

interface LineDecoderOptions {
  readonly mapper: Mapper;
  readonly attempt: Attempt;
  readonly lastEventId: string;
  readonly maxEventBytes: number;
  onBlock(block: Block): void;
}

function createLineDecoder({ mapper, attempt, lastEventId, onBlock, maxEventBytes }: LineDecoderOptions): Decoder {
  const decoder = new TextDecoder();
  const pass = createBlocks(attempt, lastEventId, onBlock);
  const assertSize = (bytes: number): void => {
    if (bytes <= maxEventBytes) return;
    throw new UpstreamFailure("upstream-message-too-large");
  };
  const lines = new LineSplitter((bytes, start, end) => {
    assertSize(end - start);
    const text = decoder.decode(bytes.subarray(start, end)).trim();
    // An empty line keeps the connection alive.
    if (text === "") return;
    pass(mapper.ofText(text));
  });
  return {
    push(chunk) {
      lines.push(chunk);
      assertSize(lines.unfinishedBytes);
    },
  };
}
