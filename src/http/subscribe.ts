import { randomUUID } from "node:crypto";
import { SpillwayError } from "../errors.ts";
import type { Format } from "../hub/format.ts";
import { formatCursor } from "../log/cursor.ts";
import { eventStreamHeaders } from "../sse/index.ts";
import { longPoll } from "./long-poll.ts";
import type { HttpBody, HttpHeaders, HttpRequest, HttpResponse } from "./message.ts";
import { negotiate, representations } from "./negotiate.ts";
import { findStart, readAsked, resumeHeaders, type Start } from "./position.ts";
import { readFilter } from "./filter.ts";
import { invalid, problem } from "./problem.ts";
import type { ServedStream } from "./served.ts";

/** `GET /streams/<name>`: the stream from a position, in the representation that the client accepts. */
export async function subscribe(
  request: HttpRequest,
  stream: ServedStream,
  channel: string | undefined,
): Promise<HttpResponse> {
  const representation = negotiate(request.header("accept"));
  const filter = readFilter(request.query, channel);
  const failOnGap = readOnGap(request.query);
  const start = await findStart(readAsked(request), stream, filter);
  // Looking it up took time, in which the server may have begun to stop.
  if (stream.hub.closed) throw new SpillwayError("shutting-down");
  const hole = start.gap ?? start.reset;
  if (hole && failOnGap) return gone(start, stream);
  if (representation === "json") return longPoll(request, stream, filter, start);
  const headers = streamHeaders(representation, start);
  if (request.method === "HEAD") return { status: 200, headers };
  const format = stream.hub.formats[representation];
  return {
    status: 200,
    headers,
    open: (sink) =>
      stream.hub.subscribe({
        position: start.position,
        filter,
        format: representation,
        preamble: preamble(stream, start, format),
        sink,
      }),
  };
}

function readOnGap(query: URLSearchParams): boolean {
  const value = query.get("on-gap") ?? "announce";
  if (value !== "announce" && value !== "fail") throw invalid("on-gap", '"announce" or "fail"', value);
  return value === "fail";
}

/** The answer to `?on-gap=fail`: the same facts as the control event, before anything was delivered. */
function gone(start: Start, stream: ServedStream): HttpBody {
  const { epoch } = stream.log;
  const { requested, earliest } = (start.gap ?? start.reset)!;
  const error = new SpillwayError("gap", undefined, { got: requested ?? undefined });
  const facts = { outcome: start.outcome, requested, earliest, lost: start.gap?.lost ?? null, epoch };
  return problem(error, facts, { "Spillway-Resume": start.outcome });
}

function streamHeaders(representation: "sse" | "ndjson", start: Start): HttpHeaders {
  return { ...eventStreamHeaders, "Content-Type": representations[representation], ...resumeHeaders(start) };
}

/** What comes first: who and where you are, then the hole if there is one, then the position. */
function preamble(stream: ServedStream, start: Start, format: Format): string {
  const { log, hub } = stream;
  const cursor = formatCursor(log.epoch, start.position);
  const id = hub.idAt(start.position);
  const connected = format.control("connected", {
    client: randomUUID(),
    stream: stream.name,
    cursor,
    head: formatCursor(log.epoch, hub.head),
  });
  if (start.gap) return connected + format.control("spillway.gap", start.gap, id);
  if (start.reset) return connected + format.control("spillway.reset", start.reset, id);
  // So that even a client that has seen no event yet comes back to this place, and not to a later one.
  return id === undefined ? connected : connected + format.checkpoint(id);
}
