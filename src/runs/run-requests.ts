import { permits } from "../access/identity.ts";
import { SpillwayError } from "../errors.ts";
import type { Caller } from "../http/gateway-context.ts";
import { json, type HttpBody, type HttpRequest, type HttpResponse } from "../http/message.ts";
import { createSearch } from "../http/position.ts";
import { invalid } from "../http/problem.ts";
import { asksForEventStream } from "../http/subscribe.ts";
import { parseCursor } from "../log/cursor.ts";
import type { LogEvent } from "../log/log.ts";
import { parseJson } from "../util/json-pointer.ts";
import { dataOf } from "./blocks.ts";
import { formatRunId, parseRunId, type Run, type StoredEnd } from "./record.ts";
import { admit, respond, type RunClient } from "./run-response.ts";
import type { Runs } from "./runs.ts";
import { keyName, ownerName, type RunRoute } from "./start-run.ts";
import { aliasOf } from "./writer.ts";

/** What `GET /runs/<id>` says of a run as JSON. */
export interface RunStatus {
  readonly id: string;
  readonly route: string;
  /** `truncated`: its response is not complete. `failed`: the target reported an error. */
  readonly state: "running" | StoredEnd["state"];
  /** Why it ended, as a code; `null` if the state says it. */
  readonly reason: string | null;
  /** RFC 3339 times. */
  readonly started: string;
  readonly ended: string | null;
  /** Blocks that are stored, and their size; `null` while another process runs it. */
  readonly events: number | null;
  readonly bytes: number | null;
}

/**
 * `GET /runs/<id>`: the response, behind `Last-Event-ID` if there is one, or the state as JSON. `DELETE`: stops it.
 * @throws {SpillwayError} `run-unknown`, `run-truncated`, `request-invalid`, `replay-busy`.
 */
export async function answerRun(id: string, client: RunClient, runs: Runs): Promise<HttpResponse> {
  const { request, caller } = client;
  const { run, end } = await find(id, caller, runs);
  if (request.method === "DELETE") return stopRun(run, runs);
  if (!wantsState(request)) return follow(run, end, positionOf(request, run, runs), client, runs);
  return json(statusOf(run, end, runs));
}

/** The state of a run. */
export function statusOf(run: Run, end: StoredEnd | undefined, runs: Runs): RunStatus {
  const { events = null, bytes = null } = end ?? runs.progressOf(run.token) ?? {};
  return {
    id: formatRunId(run),
    route: run.start.route,
    state: end?.state ?? "running",
    reason: end?.reason ?? null,
    started: new Date(run.startedAt).toISOString(),
    ended: end ? new Date(end.time).toISOString() : null,
    events,
    bytes,
  };
}

/**
 * `GET <path>/<key>/stream`: the response of the run that has the key, from its beginning; 204 if none is running.
 * `DELETE`: stops it.
 */
export async function answerKeyed(
  { proxy, options }: RunRoute,
  key: string,
  client: RunClient,
  runs: Runs,
): Promise<HttpResponse> {
  const name = keyName(proxy.name, options, ownerName(client.caller), key);
  const run = await runs.journal.latest(name);
  if (!run || (await runs.journal.endOf(run))) return nothing;
  if (client.request.method === "DELETE") return stopRun(run, runs);
  return follow(run, undefined, run.seq, client, runs);
}

/**
 * `GET …/responses/<id>?stream=true` and `POST …/responses/<id>/cancel` of OpenAI's API; `undefined` if no run has that
 * id, which the target may know.
 */
export async function answerResponse(
  id: string,
  action: "follow" | "cancel",
  client: RunClient,
  runs: Runs,
): Promise<HttpResponse | undefined> {
  const { caller } = client;
  const own = await runs.journal.named(aliasOf({ owner: ownerName(caller), shared: false }, id));
  const run = own ?? (await runs.journal.named(aliasOf({ owner: "", shared: true }, id)));
  if (!run || !mayJoin(run, caller)) return undefined;
  const end = await runs.journal.endOf(run);
  if (end && isExpired(run, end)) return undefined;
  if (action === "follow") return follow(run, end, await behindNumber(client, run, runs), client, runs);
  const { state } = end ?? (await runs.stop(run)) ?? { state: "cancelled" };
  return json({ id, object: "response", status: state === "truncated" ? "incomplete" : state, output: [] });
}

/** @throws {SpillwayError} `run-unknown`, also for runs that the caller may not join. */
async function find(
  id: string,
  caller: Caller,
  runs: Runs,
): Promise<{ readonly run: Run; readonly end: StoredEnd | undefined }> {
  const name = parseRunId(id);
  const run = name && (await runs.journal.at(name.seq));
  if (!run || run.token !== name.token || !mayJoin(run, caller)) throw new SpillwayError("run-unknown");
  const end = await runs.journal.endOf(run);
  if (end && isExpired(run, end)) throw new SpillwayError("run-unknown");
  return { run, end };
}

function mayJoin({ start: { route, owner, shared } }: Run, caller: Caller): boolean {
  return permits(caller.identity.grant, "proxy", route) && (shared || owner === ownerName(caller));
}

function isExpired({ start }: Run, { time, freed }: StoredEnd): boolean {
  return freed || time + start.ttl < Date.now();
}

async function stopRun(run: Run, runs: Runs): Promise<HttpBody> {
  const end = await runs.stop(run);
  return end ? nothing : { ...nothing, status: 202 };
}

const nothing: HttpBody = { status: 204, headers: { "Cache-Control": "no-store" } };

/** The response from a position on. Behind its end there is nothing: an `EventSource` then stops connecting again. */
async function follow(
  run: Run,
  end: StoredEnd | undefined,
  position: number,
  client: RunClient,
  runs: Runs,
): Promise<HttpResponse> {
  if (end && (position >= end.seq || (await isLast(run, end, position, client, runs)))) {
    if (end.cut) throw new SpillwayError("run-truncated");
    return nothing;
  }
  const release = await admit(client);
  try {
    const head = await runs.journal.headOf(run, client.request.signal);
    if (!head) throw new SpillwayError("run-cancelled");
    return await respond({ run, head, position, isReplay: true, release }, client, runs);
  } catch (error) {
    release();
    throw error;
  }
}

/** Whether nothing of an ended run is left behind a position. */
async function isLast(run: Run, end: StoredEnd, position: number, client: RunClient, runs: Runs): Promise<boolean> {
  if (end.text !== "") return false;
  let hasBlock = false;
  await scan(client, run, position, runs, ({ event }) => {
    hasBlock = event === "block";
    return !hasBlock && event !== "end";
  });
  return !hasBlock;
}

/** Looks at the records of a run behind a position, as a search, of which few run at a time. */
async function scan(
  { request, caller, gateway }: RunClient,
  run: Run,
  position: number,
  { journal }: Runs,
  take: (event: LogEvent) => boolean,
): Promise<void> {
  const { signal } = request;
  await createSearch(() => signal, caller, gateway)(() => journal.scan(run, position, take, signal));
}

/** @throws {SpillwayError} `request-invalid` for an id that is not one of the run. */
export function positionOf(request: HttpRequest, { seq }: Run, runs: Runs): number {
  const id = request.header("last-event-id") || request.query.get("last-event-id");
  if (!id) return seq;
  const cursor = parseCursor(id);
  if (cursor?.epoch === runs.journal.log.epoch && cursor.seq >= seq) return cursor.seq;
  throw invalid("Last-Event-ID", "the id of an event of this run", id);
}

/** The position behind the event with the number `starting_after`. */
async function behindNumber(client: RunClient, run: Run, runs: Runs): Promise<number> {
  const text = client.request.query.get("starting_after");
  if (text === null) return run.seq;
  if (!/^\d{1,9}$/.test(text)) throw invalid("starting_after", "a whole number", text);
  const last = Number(text);
  let position = run.seq;
  await scan(client, run, run.seq, runs, ({ event, seq, data }) => {
    if (event !== "block") return event !== "end";
    const { sequence_number: number } = (parseJson(dataOf(data) ?? "") ?? {}) as { sequence_number?: unknown };
    if (typeof number === "number" && number > last) return false;
    position = seq;
    return true;
  });
  return position;
}

function wantsState(request: HttpRequest): boolean {
  if (request.method === "HEAD") return true;
  const accept = request.header("accept") ?? "";
  return /\bapplication\/json\b/i.test(accept) && !asksForEventStream(accept);
}
