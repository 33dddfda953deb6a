import { setTimeout as sleep } from "node:timers/promises";
import { createJsonPointer, scalarText } from "../../util/json-pointer.ts";
import { longestTimer } from "../../util/timeout.ts";
import { UpstreamFailure } from "../failure.ts";
import { withParameter } from "../request.ts";
import type { Attempt, Source, SourceBatch } from "../source.ts";
import type { PollOptions, UpstreamOptions, UpstreamTarget } from "../upstream.ts";
import { createDocumentReader } from "./poll-document.ts";
import { createItemReader } from "./poll-items.ts";
import { apiCursor, parsePosition, printPosition, type PollPosition } from "./poll-position.ts";
import { requestPage, type Page } from "./poll-request.ts";

/** Creates a source that requests a document again and again. Its position in the API is its cursor in the log. */
export function createPollSource(options: UpstreamOptions, poll: PollOptions): Source {
  const reader =
    poll.emit === "items"
      ? createItemReader(poll, options.mapping)
      : createDocumentReader(poll, poll.emit, options.mapping);
  const { cursor: paging } = poll;
  const nextAt = paging && createJsonPointer(paging.from);

  function request(target: UpstreamTarget, position: PollPosition, signal: AbortSignal): Promise<Page> {
    const { next } = position;
    const url = paging && next !== undefined ? withParameter(new URL(target.url), paging.query, next).href : target.url;
    return requestPage(url, options, position, signal);
  }

  /** The API's cursor in a response. Without one, the last one stays. */
  function nextOf(content: unknown, position: PollPosition): string | undefined {
    const text = scalarText(nextAt?.(content));
    if (text === undefined) return position.next;
    const next = apiCursor(text);
    if (next === undefined) throw new UpstreamFailure("upstream-data-invalid", { reason: "CURSOR_TOO_LONG" });
    return next;
  }

  async function* pages(target: UpstreamTarget, first: Page, attempt: Attempt): AsyncGenerator<SourceBatch> {
    const { history, signal } = attempt;
    let position = parsePosition(history.cursor());
    for (let page = first, read = 1; ; read++) {
      const before = position;
      let found = 0;
      if (page.changed) {
        const { events, gap, change, commit } = await reader.read(page.content, position, attempt);
        found = events.length;
        position = advanced(position, change, page, nextOf(page.content, position));
        const text = printPosition(position);
        yield { events, gap, cursor: text === history.cursor() ? undefined : text };
        commit();
      }
      // More is available at once as long as each page has new items and leads to another one.
      const more = paging && found > 0 && position.next !== before.next && read < paging.pages;
      if (!more) {
        await sleep(Math.max(interval(poll), page.maxAge), undefined, { signal });
        read = 0;
      }
      page = await request(target, position, signal);
    }
  }

  return {
    async open(target, attempt) {
      const first = await request(target, parsePosition(attempt.history.cursor()), attempt.signal);
      return { resumed: true, batches: pages(target, first, attempt), close() {} };
    },
    async probe(target, signal) {
      await request(target, {}, signal);
      return "available";
    },
  };
}

function advanced(from: PollPosition, change: PollPosition, { etag, modified }: Page, next?: string): PollPosition {
  return { ...from, ...change, etag, modified, next };
}

function interval({ every, jitter }: PollOptions): number {
  return Math.min(every * (1 + jitter * (2 * Math.random() - 1)), longestTimer);
}
