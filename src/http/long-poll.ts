import { toJson } from "../hub/format.ts";
import type { Gap } from "../hub/control.ts";
import { trimmedGap } from "../hub/gap.ts";
import { formatCursor } from "../log/cursor.ts";
import { reservedPrefix, type LogEvent, type LogPage } from "../log/log.ts";
import { json, type HttpBody } from "./message.ts";
import { resumeHeaders, type Start } from "./position.ts";
import { invalid } from "./problem.ts";
import type { ServedStream } from "./gateway-context.ts";
import { begin } from "./sessions.ts";
import type { Subscribing } from "./subscribe.ts";

const defaultLimit = 100;
const maxLimit = 1000;
/** Longest wait, in s: below the usual idle timeout of proxies. */
const maxWait = 55;
const maxBytes = 1024 * 1024;
/** Pages that one request looks through for the first event that passes its filter; then it is answered without one. */
const maxPages = 100;

/**
 * One page of the stream: `{ events, next, gap }`. With `?wait=<s>` it is held back until there is an event. `gap` lies before the
 * first of `events`; `next` is what to send as `after`.
 */
export async function longPoll(subscribing: Subscribing, start: Start): Promise<HttpBody> {
  const { request, gateway, to: stream, filter, parts, search } = subscribing;
  const wait = readNumber(request.query, "wait", 0, maxWait);
  const limit = readNumber(request.query, "limit", defaultLimit, maxLimit);
  if (limit === 0) throw invalid("limit", "at least 1", "0");
  const headers = resumeHeaders(start);
  if (request.method === "HEAD") return { ...json({}, headers), body: undefined };
  const hole = start.gap ?? start.reset;
  const read = (position: number): Promise<LogPage> => stream.log.read(position, { filter, limit, maxBytes });
  let { position } = start;
  const gone = subscribing.signal();
  let page = await read(position);
  const over = new AbortController();
  const session = gateway.sessions.open(parts, () => over.abort());
  begin(session, gateway);
  const ended = AbortSignal.any([gone, over.signal]);
  const late = AbortSignal.any([ended, AbortSignal.timeout(wait * 1000)]);
  const letGo = stream.hold();
  // Retention may take events while this request is waiting.
  const trimmed = (): Gap | null =>
    page.earliest > position + 1 ? trimmedGap(stream.log.epoch, position, page.earliest) : null;
  // A hole is news enough to answer with.
  const goesOn = (): boolean => page.events.length === 0 && !hole && !trimmed() && !ended.aborted && !stream.hub.closed;
  const isBehind = (): boolean => page.scanned < stream.hub.head;
  async function readFrom(from: number): Promise<void> {
    position = from;
    page = await read(position);
  }
  async function lookOn(): Promise<void> {
    for (let pages = 1; goesOn() && isBehind() && pages < maxPages; pages++) await readFrom(page.scanned);
  }
  try {
    if (goesOn() && isBehind()) await search(lookOn);
    // What is left unseen is for the next request.
    const unseen = isBehind();
    while (!unseen && goesOn() && !late.aborted) {
      const before = await stream.hub.beyond(page.scanned, late, filter);
      if (!ended.aborted) await readFrom(before ?? page.scanned);
    }
  } finally {
    letGo();
    session.close();
  }
  return json(answer(stream, page, hole ?? trimmed()), headers);
}

function readNumber(query: URLSearchParams, field: string, fallback: number, max: number): number {
  const text = query.get(field);
  if (text === null) return fallback;
  if (!/^\d{1,9}$/.test(text)) throw invalid(field, "a whole number", text);
  return Math.min(Number(text), max);
}

/** A hole that is in the stream itself ends the page before it, or opens it as `gap`. */
function answer({ log, ids }: ServedStream, page: LogPage, hole: object | null): object {
  let events: readonly LogEvent[] = page.events;
  let gap = hole;
  if (!gap && isHole(events[0])) {
    gap = JSON.parse(events[0].data) as object;
    events = events.slice(1);
  }
  const end = events.findIndex(isHole);
  const cut = end === -1 ? events : events.slice(0, end);
  const next = end === -1 ? page.scanned : events[end]!.seq - 1;
  return {
    events: cut.map((event) => toJson(event, log.epoch, ids)),
    // Always the log's own cursor, which is exact even where upstream ids are missing or repeated.
    next: formatCursor(log.epoch, next),
    gap,
  };
}

function isHole(event: LogEvent | undefined): event is LogEvent {
  return event?.event.startsWith(reservedPrefix) === true;
}
