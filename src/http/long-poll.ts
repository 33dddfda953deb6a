import { toJson } from "../hub/format.ts";
import { LogCursor } from "../hub/read-from.ts";
import { formatCursor } from "../log/cursor.ts";
import { reservedPrefix, type LogEvent, type LogFilter, type LogPage } from "../log/log.ts";
import { startTimeout } from "../util/timeout.ts";
import { json, type HttpBody, type HttpRequest } from "./message.ts";
import { resumeHeaders, type Search, type Start } from "./position.ts";
import type { HeldFilters } from "./held-filters.ts";
import { invalid } from "./problem.ts";
import type { GatewayContext, ServedStream } from "./gateway-context.ts";
import type { SessionParts } from "./session.ts";
import { begin } from "./sessions.ts";

/** An admitted request for a stream. */
export interface SubscribeContext {
  readonly request: HttpRequest;
  /** The parameters of the request that are for the gateway. */
  readonly query: URLSearchParams;
  readonly gateway: GatewayContext;
  readonly to: ServedStream;
  /** The requested filter, narrowed to the grant. */
  readonly filter: LogFilter | undefined;
  /** The compiled expressions that are part of the filter. */
  readonly filters: HeldFilters;
  /** Returns the signal that aborts when the client disconnects. Created at the first call. */
  readonly signal: () => AbortSignal;
  readonly search: Search;
  readonly parts: SessionParts;
}

const defaultLimit = 100;
const maxLimit = 1000;
/** The longest wait in seconds: below the usual idle timeout of proxies. */
const maxWait = 55;
const maxBytes = 1024 * 1024;
/**
 * The number of pages that a request reads to find an event that passes its filter. After that, the response has no
 * events.
 */
const maxPages = 100;

/**
 * Returns one page of the stream: `{ events, next, gap }`. With `?wait=<s>` the response waits for an event. `gap` is
 * the gap before the first of `events`; `next` is the value to send as `after` in the next request.
 */
export async function longPoll(context: SubscribeContext, start: Start): Promise<HttpBody> {
  const { request, query, gateway, to: stream, filter, parts, search } = context;
  const wait = readNumber(query, "wait", 0, maxWait);
  const limit = readNumber(query, "limit", defaultLimit, maxLimit);
  if (limit === 0) throw invalid("limit", "at least 1", "0");
  const headers = resumeHeaders(start);
  if (request.method === "HEAD") return { ...json({}, headers), body: undefined };
  const hole = start.gap ?? start.reset;
  const cursor = new LogCursor(stream, start.position, { filter, limit, maxBytes });
  const gone = context.signal();
  let page = await cursor.next();
  const over = new AbortController();
  const session = gateway.sessions.open(parts);
  begin(session, { end: () => over.abort() }, gateway);
  const ended = AbortSignal.any([gone, over.signal]);
  const timeout = startTimeout(wait * 1000);
  const late = AbortSignal.any([ended, timeout.signal]);
  const release = stream.hold();
  // A gap is returned at once, even one that retention causes while this request waits.
  const isEmpty = (): boolean => page.events.length === 0 && !hole && !page.gap && !ended.aborted && !stream.hub.closed;
  async function searchFurther(): Promise<void> {
    for (let pages = 1; isEmpty() && cursor.behind && pages < maxPages; pages++) page = await cursor.next();
  }
  try {
    if (isEmpty() && cursor.behind) await search(searchFurther);
    // The next request continues with the rest.
    const unseen = cursor.behind;
    while (!unseen && isEmpty() && !late.aborted) {
      await cursor.wait(late);
      if (!ended.aborted) page = await cursor.next();
    }
  } finally {
    timeout.clear();
    release();
    session.close();
  }
  return json(answer(stream, page, hole ?? page.gap ?? null), headers);
}

function readNumber(query: URLSearchParams, field: string, fallback: number, max: number): number {
  const text = query.get(field);
  if (text === null) return fallback;
  if (!/^\d{1,9}$/.test(text)) throw invalid(field, "a whole number", text);
  return Math.min(Number(text), max);
}

/** A gap event in the stream ends the page before it. If it is the first event of a page, it becomes `gap`. */
function answer({ log, ids }: ServedStream, page: LogPage, hole: object | null): object {
  let events: readonly LogEvent[] = page.events;
  let gap = hole;
  if (!gap && isGapEvent(events[0])) {
    gap = JSON.parse(events[0].data) as object;
    events = events.slice(1);
  }
  const end = events.findIndex(isGapEvent);
  const cut = end === -1 ? events : events.slice(0, end);
  const next = end === -1 ? page.scanned : events[end]!.seq - 1;
  return {
    events: cut.map((event) => toJson(event, log.epoch, ids)),
    // Always the log's own cursor, which is exact even if upstream ids are missing or repeated.
    next: formatCursor(log.epoch, next),
    gap,
  };
}

function isGapEvent(event: LogEvent | undefined): event is LogEvent {
  return event?.event.startsWith(reservedPrefix) === true;
}
