import { SpillwayError } from "../errors.ts";
import type { ControlEvents, Gap } from "../hub/control.ts";
import { trimmedGap } from "../hub/read-from.ts";
import { formatCursor, parseCursor } from "../log/cursor.ts";
import { lastPosition } from "../log/last.ts";
import type { LogFilter } from "../log/log.ts";
import { parseDateTime } from "../util/rfc3339.ts";
import type { HttpHeaders, HttpRequest } from "./message.ts";
import { invalid, shown } from "./problem.ts";
import type { Search } from "./subscribe-context.ts";
import type { ServedStream } from "./gateway-context.ts";

/** Where a subscriber starts, and what it has to be told first. */
export interface Start {
  /** Delivery starts behind this sequence number. */
  readonly position: number;
  /** The id that was asked for, where it is still the one to resume with. */
  readonly id?: string | undefined;
  /** `live`: at the head by its own wish. `resumed`: nothing is missing. */
  readonly outcome: "live" | "resumed" | "gap" | "reset";
  /** The hole, where there is one. */
  readonly gap?: Gap | undefined;
  readonly reset?: ControlEvents["spillway.reset"] | undefined;
}

/** The headers that every answer of a stream carries: `EventSource` may not read others than the exposed ones. */
export function resumeHeaders(start: Start): HttpHeaders {
  return {
    "Vary": "Accept",
    "Spillway-Resume": start.outcome,
    "Access-Control-Expose-Headers": "Spillway-Resume, Retry-After",
  };
}

/** A start position as its user wrote it. The first that is present counts. */
export interface StartPosition {
  /** The id of the last event that was seen. */
  readonly id?: string | undefined;
  /** An id, `earliest` or `now`. */
  readonly after?: string | undefined;
  /** A number of events. */
  readonly last?: string | undefined;
  /** An RFC 3339 time. */
  readonly since?: string | undefined;
}

/** What `last-id` has beside ids, as Redis streams and the APIs that are made of them do. */
const lastIdWords: Readonly<Record<string, string>> = { "$": "now", "0": "earliest" };

/** Reads the start position of a request: header, `last-event-id`, `last-id`, `after`, `last`, `since`. */
export function readStartPosition(request: HttpRequest): StartPosition {
  const get = (name: string): string | undefined => request.query.get(name) ?? undefined;
  const lastId = get("last-id") ?? "";
  const word = lastIdWords[lastId];
  return {
    id: headerText(request.header("last-event-id") ?? "") || get("last-event-id") || (word ? undefined : lastId),
    after: word ?? get("after"),
    last: get("last"),
    since: get("since"),
  };
}

/** What a start position is looked for among, and how. */
export interface StartScope {
  /** What is asked for and granted. */
  readonly filter: LogFilter | undefined;
  /** All that is granted: an id of something else is an unknown one. */
  readonly granted: LogFilter | undefined;
  /** Absent where only the outcome matters: then nothing is searched for. */
  readonly search: Search | undefined;
}

/** Finds where a subscriber starts; now, if it did not ask for a place. */
export async function findStart(asked: StartPosition, stream: ServedStream, scope: StartScope): Promise<Start> {
  const start = await find(asked, stream, scope);
  if (stream.behind > 0) await untilHere(stream, start.position);
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

/** Header bytes arrive as Latin-1; browsers send ids as UTF-8 (WHATWG HTML §9.2.4). */
function headerText(id: string): string {
  return /[\u0080-\u00ff]/.test(id) && !/[^\u0000-\u00ff]/.test(id) ? Buffer.from(id, "latin1").toString() : id;
}

async function fromId(id: string, stream: ServedStream, granted: LogFilter | undefined): Promise<Start> {
  const { log, ids } = stream;
  const cursor = parseCursor(id);
  // A cursor of this log is what it says, whatever ids events were given.
  if (ids !== "gateway" && cursor?.epoch !== log.epoch) {
    const position = await log.find({ upstreamId: id, published: ids === "publisher", filter: granted });
    if (position !== undefined) return resumed(position, id);
  }
  if (cursor && stream.behind > 0)
    await (cursor.epoch === log.epoch ? untilHere(stream, cursor.seq) : untilCurrent(stream));
  const { earliest } = log.state();
  const head = Math.max(log.state().head, stream.hub.head);
  // Where clients know the upstream's ids, what looks like another log's cursor is but an unknown one of those.
  const unknown = !cursor || (ids !== "gateway" && cursor.epoch !== log.epoch);
  if (unknown) return hole(stream, { reason: "unknown", requested: shown(id), lost: null });
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
 * What is on its way here another node may have served already, and the store may have told of it: the hub, too, has to be there. An id
 * from beyond the end of the log is none that ever will be.
 */
async function untilHere({ log, hub, behind }: ServedStream, seq: number): Promise<void> {
  if (hub.head >= seq) return;
  const deadline = AbortSignal.timeout(behind);
  while (hub.head < seq && !hub.closed && !deadline.aborted) await hub.waitBeyond(seq - 1, deadline);
  if (hub.head >= seq || hub.closed) return;
  const { events } = await log.read(seq - 1, { limit: 1 });
  if (events.length > 0) throw new SpillwayError("store-unavailable", "what the store has is late here");
}

/**
 * Another node may know already that the store has lost this log, and what is in its place: reading it tells. Then the hub is closed,
 * and whoever serves it goes on with the other one.
 */
async function untilCurrent({ log, hub, behind }: ServedStream): Promise<void> {
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
  // Whatever passes the filter, it is no more than all that is held.
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
  // Of the events that retention took, some may have been younger than `since`.
  const certain = earliest === 1 || position > earliest - 1 || since > lastTime;
  return certain ? resumed(position) : hole(stream, { reason: "trimmed", requested: text, lost: null });
}

function hole({ log }: ServedStream, gap: Omit<Gap, "earliest">): Start {
  const { earliest } = log.state();
  return { position: earliest - 1, outcome: "gap", gap: { ...gap, earliest: formatCursor(log.epoch, earliest) } };
}
