import { SpillwayError } from "../errors.ts";
import type { Gap } from "../events/control.ts";
import type { ControlEvents } from "../hub/control.ts";
import { trimmedGap } from "../hub/read-from.ts";
import { formatCursor, parseCursor } from "../log/cursor.ts";
import { lastPosition } from "../log/last.ts";
import type { LogFilter } from "../log/log.ts";
import { addressKey } from "../util/ip-address.ts";
import { parseDateTime } from "../util/rfc3339.ts";
import type { HttpHeaders, HttpRequest } from "./message.ts";
import { invalid, shown } from "./problem.ts";
import type { Caller, GatewayContext, ServedStream } from "./gateway-context.ts";

/** Where a subscriber starts, and the gap or reset that is announced to it first. */
export interface Start {
  /** Delivery starts after this sequence number. */
  readonly position: number;
  /** The requested id, if it is still the one to resume with. */
  readonly id?: string | undefined;
  /** `live`: the client starts at the head, as requested. `resumed`: no event is missing. */
  readonly outcome: "live" | "resumed" | "gap" | "reset";
  /** The gap, if events are missing. */
  readonly gap?: Gap | undefined;
  readonly reset?: ControlEvents["spillway.reset"] | undefined;
}

/** The headers of every response of a stream. Pages of other origins can read only the exposed ones. */
export function resumeHeaders(start: Start): HttpHeaders {
  return {
    "Vary": "Accept",
    "Spillway-Resume": start.outcome,
    "Access-Control-Expose-Headers": "Spillway-Resume, Retry-After",
  };
}

/** A start position as requested. The first member that is present counts. */
export interface StartPosition {
  /** The id of the last event that the client has received. */
  readonly id?: string | undefined;
  /** An id, `earliest` or `now`. */
  readonly after?: string | undefined;
  /** A number of events. */
  readonly last?: string | undefined;
  /** An RFC 3339 time. */
  readonly since?: string | undefined;
}

/** The special values of `last-id`, as in Redis streams and APIs based on them. */
const lastIdWords: Readonly<Record<string, string>> = { "$": "now", "0": "earliest" };

/** Reads the start position of a request: header, `last-event-id`, `last-id`, `after`, `last`, `since`. */
export function readStartPosition(request: HttpRequest, query: URLSearchParams = request.query): StartPosition {
  const get = (name: string): string | undefined => query.get(name) ?? undefined;
  const lastId = get("last-id") ?? "";
  const word = lastIdWords[lastId];
  return {
    id: headerText(request.header("last-event-id") ?? "") || get("last-event-id") || (word ? undefined : lastId),
    after: word ?? get("after"),
    last: get("last"),
    since: get("since"),
  };
}

/** The events among which a start position is searched, and how. */
export interface StartScope {
  /** The requested events, limited to the granted ones. */
  readonly filter: LogFilter | undefined;
  /** All granted events. The id of another event counts as unknown. */
  readonly granted: LogFilter | undefined;
  /** Runs searches through the log; absent if only the outcome is needed, which takes no search. */
  readonly search: Search | undefined;
}

/** Finds where a subscriber starts: at the head, if it requests no position. */
export async function findStart(asked: StartPosition, stream: ServedStream, scope: StartScope): Promise<Start> {
  const start = await find(asked, stream, scope);
  if (stream.behind > 0) await waitUntilReceived(stream, start.position);
  return start;
}

async function find(
  asked: StartPosition,
  stream: ServedStream,
  { filter, granted, search }: StartScope,
): Promise<Start> {
  const { id, after, last, since } = asked;
  if (id) return fromId(id, stream, granted);
  if (after === "earliest") return resumed(stream.log.state().earliest - 1);
  if (after === "now") return live(stream);
  if (after) return fromId(after, stream, granted);
  if (last !== undefined) return fromLast(last, stream, filter, search);
  if (since !== undefined) return fromTime(since, stream);
  return live(stream);
}

const live = ({ hub }: ServedStream): Start => ({ position: hub.head, outcome: "live" });

const resumed = (position: number, id?: string): Start => ({ position, id, outcome: "resumed" });

/** Node decodes header bytes as Latin-1, but browsers send ids as UTF-8 (WHATWG HTML §9.2.4). */
function headerText(id: string): string {
  return /[\u0080-\u00ff]/.test(id) && !/[^\u0000-\u00ff]/.test(id) ? Buffer.from(id, "latin1").toString() : id;
}

async function fromId(id: string, stream: ServedStream, granted: LogFilter | undefined): Promise<Start> {
  const { log, ids } = stream;
  const cursor = parseCursor(id);
  // A cursor of this log is always valid, whatever the events' ids.
  if (ids !== "gateway" && cursor?.epoch !== log.epoch) {
    const position = await log.find({ upstreamId: id, published: ids === "publisher", filter: granted });
    if (position !== undefined) return resumed(position, id);
  }
  if (cursor && stream.behind > 0)
    await (cursor.epoch === log.epoch ? waitUntilReceived(stream, cursor.seq) : detectLostLog(stream));
  const { earliest } = log.state();
  const head = Math.max(log.state().head, stream.hub.head);
  // If clients get upstream ids, a cursor of another log is only an unknown upstream id.
  const unknown = !cursor || (ids !== "gateway" && cursor.epoch !== log.epoch);
  if (unknown) return startAfterGap(stream, { reason: "unknown", requested: shown(id), lost: null });
  if (cursor.epoch !== log.epoch || cursor.seq > head) {
    return {
      position: earliest - 1,
      outcome: "reset",
      reset: { epoch: log.epoch, requested: id, earliest: formatCursor(log.epoch, earliest) },
    };
  }
  if (cursor.seq >= earliest - 1) return resumed(cursor.seq, id);
  return { position: earliest - 1, outcome: "gap", gap: trimmedGap(log.epoch, cursor.seq, earliest) };
}

/**
 * Waits until the hub has received the event `seq`: another node may have served it already. Returns without it if the
 * log does not contain the event, because then the id is invalid.
 */
async function waitUntilReceived({ log, hub, behind }: ServedStream, seq: number): Promise<void> {
  if (hub.head >= seq) return;
  const deadline = AbortSignal.timeout(behind);
  while (hub.head < seq && !hub.closed && !deadline.aborted) await hub.waitBeyond(seq - 1, deadline);
  if (hub.head >= seq || hub.closed) return;
  const { events } = await log.read(seq - 1, { limit: 1 });
  if (events.length > 0)
    throw new SpillwayError("store-unavailable", "events of the store have not reached this node yet");
}

/**
 * Reads the log to detect whether the store has lost it, as another node may already know. If so, waits until the hub
 * closes; the caller then continues with the new log.
 */
async function detectLostLog({ log, hub, behind }: ServedStream): Promise<void> {
  try {
    await log.read(log.state().head, { limit: 1 });
  } catch {
    await hub.waitBeyond(Infinity, AbortSignal.timeout(behind));
  }
}

async function fromLast(
  text: string,
  { log }: ServedStream,
  filter: LogFilter | undefined,
  search: Search | undefined,
): Promise<Start> {
  if (!/^\d{1,9}$/.test(text)) throw invalid("last", "a number of events", text);
  const last = Number(text);
  const state = log.state();
  // No search is needed if all events in the log are requested.
  if (!filter || !search || last >= state.events) return resumed(lastPosition(state, last));
  return resumed((await search((signal) => log.find({ last, filter }, { signal })))!);
}

async function fromTime(text: string, stream: ServedStream): Promise<Start> {
  // A `+` that was not percent-encoded arrives as a space.
  const time = text.replace(/ (?=\d\d:\d\d$)/, "+");
  const since = parseDateTime(time.replace(" ", "T"));
  if (Number.isNaN(since)) throw invalid("since", "an RFC 3339 time such as 2026-01-31T09:00:00Z", text);
  const position = (await stream.log.find({ since }))!;
  const { earliest, lastTime } = stream.log.state();
  // Retention may have removed events that are later than `since`.
  const certain = earliest === 1 || position > earliest - 1 || since > lastTime;
  return certain ? resumed(position) : startAfterGap(stream, { reason: "trimmed", requested: text, lost: null });
}

function startAfterGap({ log }: ServedStream, gap: Omit<Gap, "earliest">): Start {
  const { earliest } = log.state();
  return { position: earliest - 1, outcome: "gap", gap: { ...gap, earliest: formatCursor(log.epoch, earliest) } };
}

/** Runs a scan of a log when there is a free place. The signal aborts when the client disconnects. */
export type Search = <T>(scan: (signal: AbortSignal) => Promise<T>) => Promise<T>;

/** Creates the searches of a client. All clients share a few places, of which one address gets at most half. */
export function createSearch(
  signal: () => AbortSignal,
  { address }: Pick<Caller, "address">,
  { searches }: Pick<GatewayContext, "searches">,
): Search {
  return async (scan) => {
    const leave = await searches.enter(signal, address === undefined ? undefined : addressKey(address));
    try {
      return await scan(signal());
    } finally {
      leave();
    }
  };
}
