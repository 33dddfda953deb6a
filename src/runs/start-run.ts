import { SpillwayError } from "../errors.ts";
import { withBody } from "../http/body.ts";
import type { Caller, GatewayContext } from "../http/gateway-context.ts";
import type { HttpRequest, HttpResponse, HttpStream, OriginalRequest } from "../http/message.ts";
import { ownerOf } from "../http/owner.ts";
import { invalid } from "../http/problem.ts";
import { isEventStream } from "../sse/index.ts";
import type { RelayFacts } from "../proxy/attempt.ts";
import type { ProxyRoute } from "../proxy/proxy.ts";
import { createJsonPointer, parseJson, scalarText } from "../util/json-pointer.ts";
import type { ClaimedRun } from "./journal.ts";
import type { RunKey, RunOptions } from "./options.ts";
import { hashOf, type Run, type RunStart } from "./record.ts";
import { admit, respond, storedHead, type RunClient } from "./run-response.ts";
import type { RunRules, Runs } from "./runs.ts";
import type { RunWriter } from "./writer.ts";

/** A route whose POST requests start runs. */
export interface RunRoute {
  readonly options: RunOptions;
  readonly proxy: ProxyRoute;
}

/** A request that starts a run, or joins one with the same key. */
interface RunRequest extends RunClient {
  readonly route: RunRoute;
  readonly facts: RelayFacts;
  readonly original: OriginalRequest;
  readonly body: Buffer;
}

/**
 * `POST` to a route of runs: the target's response, stored. With a key, an equal request gets the same response.
 * @throws {SpillwayError} `idempotency-conflict`, `too-many-runs`, `run-not-started`, `body-too-large`; those of a
 * forwarded request; a `store-…` code.
 */
export async function startRun(
  request: HttpRequest,
  route: RunRoute,
  caller: Caller,
  gateway: GatewayContext,
  runs: Runs,
  facts: RelayFacts,
): Promise<HttpResponse> {
  const { body: limit } = route.options.limits;
  // Before the body is read.
  const { original } = request;
  if (!original) throw new SpillwayError("not-found");
  return withBody(request, caller, gateway, limit, async (body) => {
    const asked: RunRequest = { request, original, route, caller, gateway, facts, body };
    const { run, isNew } = await claim(asked, runs);
    return isNew ? launch(run, asked, runs) : join(run, asked, runs);
  });
}

/** The rules of a run of this route. */
export function rulesOf({ limits, cancelAfter, total }: RunOptions): RunRules {
  return { maxBytes: limits.bytes, cancelAfter, total };
}

/** The owner's name in the log. */
export function ownerName(caller: Caller): string {
  return hashOf(ownerOf(caller));
}

/** The name of a subject's runs in the log. */
export function subjectName(subject: string): string {
  return hashOf(`s ${subject}`);
}

/** The name of a key in the log. */
export function keyName(route: string, { share }: Pick<RunOptions, "share">, owner: string, key: string): string {
  return `key ${hashOf(route, share === "owner" ? owner : "", key)}`;
}

async function claim(asked: RunRequest, runs: Runs): Promise<ClaimedRun> {
  const { request, original, body, caller, route } = asked;
  const { options, proxy } = route;
  const owner = ownerName(caller);
  const key = readKey(request, body, options.key);
  const start: RunStart = {
    route: proxy.name,
    owner,
    digest: hashOf(request.path, original.search, request.header("content-type") ?? "", body),
    dialect: options.dialect,
    node: runs.node,
    ttl: options.ttl,
    shared: options.share === "granted",
    cancels: options.cancelAfter !== undefined,
    ...(key !== undefined && { key: keyName(proxy.name, options, owner, key) }),
  };
  return claimRun(start, { afterEnd: options.afterEnd, perSubject: options.limits.perSubject }, runs);
}

/** How a run is claimed. */
export type ClaimRules = Pick<RunOptions, "afterEnd"> & Pick<RunOptions["limits"], "perSubject">;

/**
 * Starts a run, or finds the one with its key.
 * @throws {SpillwayError} `idempotency-conflict`, `too-many-runs`, `shutting-down`; a `store-…` code.
 */
export async function claimRun(start: RunStart, rules: ClaimRules, runs: Runs): Promise<ClaimedRun> {
  if (start.key === undefined) return claimNew(start, undefined, rules, runs);
  return runs.inTurn(start.key, async () => {
    const known = await runs.journal.latest(start.key!);
    const isKnown = known && (await isJoined(known, start, rules, runs));
    return isKnown ? { run: known, isNew: false } : claimNew(start, known, rules, runs);
  });
}

/** @param before the last run with the same key */
async function claimNew(
  start: RunStart,
  before: Run | undefined,
  { perSubject }: ClaimRules,
  runs: Runs,
): Promise<ClaimedRun> {
  const giveBack = runs.reserve(start.owner, perSubject);
  try {
    const claimed = await runs.journal.claim(start, before?.seq);
    if (!claimed.isNew) assertSame(claimed.run, start);
    return claimed;
  } finally {
    giveBack();
  }
}

/**
 * Whether a request gets the last run with its key; false if the key is free.
 * @throws {SpillwayError} `idempotency-conflict` if it was another request.
 */
async function isJoined(known: Run, start: RunStart, { afterEnd }: ClaimRules, runs: Runs): Promise<boolean> {
  const end = await runs.journal.endOf(known);
  if (end && (end.freed || afterEnd === "restart" || end.time + known.start.ttl < Date.now())) return false;
  assertSame(known, start);
  return true;
}

function assertSame({ start: { digest } }: Run, start: RunStart): void {
  if (digest === start.digest) return;
  throw new SpillwayError("idempotency-conflict", "the key is that of a run with another request", { field: "key" });
}

/** The response of a run that another request has started. */
async function join(run: Run, asked: RunRequest, runs: Runs): Promise<HttpResponse> {
  const { request } = asked;
  const leave = runs.attend(run);
  const release = await admit(asked);
  try {
    const head = await runs.journal.headOf(run, request.signal);
    if (!head) throw await unstarted(run, runs);
    runs.countsOf(run.start.route).joined++;
    return await respond({ run, head, position: run.seq, isReplay: true, release }, asked, runs);
  } catch (error) {
    release();
    throw error;
  } finally {
    leave();
  }
}

/** Why there is no response to join. */
async function unstarted(run: Run, runs: Runs): Promise<SpillwayError> {
  const end = await runs.journal.endOf(run);
  const isStopped = end !== undefined && !end.freed;
  return new SpillwayError(isStopped ? "run-cancelled" : "run-not-started", undefined, { retryAfter: 1 });
}

/** Sends the request to the target. */
async function launch(run: Run, asked: RunRequest, runs: Runs): Promise<HttpResponse> {
  const { original, route, caller, facts } = asked;
  const writer = runs.begin(run, rulesOf(route.options));
  const leave = runs.attend(run);
  original.onGone(leave, route.options.route.halfClose);
  let release: (() => void) | undefined;
  try {
    release = await admit(asked);
    const response = await route.proxy.handle(detach(asked, writer), caller, facts);
    if (!isRunnable(response)) {
      await runs.discard(run, { state: "failed", reason: `status-${response.status}` });
      release();
      return response;
    }
    const head = storedHead(response.status, response.headers);
    writer.begin(head);
    writer.attach(response.open(writer));
    const view = { run, head, position: run.seq, isReplay: false, release, onOpen: leave };
    return withCookies(await respond(view, asked, runs), response);
  } catch (error) {
    leave();
    release?.();
    if (writer.isOver) throw new SpillwayError("run-cancelled", undefined, { cause: error });
    await runs.discard(run, { state: "failed", reason: error instanceof SpillwayError ? error.code : "internal" });
    throw error;
  }
}

/** Whether a response is stored: an event stream that says that all is well, and can be read. */
function isRunnable(response: HttpResponse): response is HttpStream {
  if (!("open" in response) || response.status < 200 || response.status > 299) return false;
  const { "Content-Type": type, "Content-Encoding": encoding = "identity" } = response.headers;
  return isEventStream([type].flat()[0]) && [encoding].flat().every((value) => /^identity$/i.test(value));
}

/** The target's cookies are only for whoever has sent the request. */
function withCookies(response: HttpStream, { headers }: HttpStream): HttpStream {
  const cookies = headers["Set-Cookie"];
  return cookies === undefined ? response : { ...response, headers: { ...response.headers, "Set-Cookie": cookies } };
}

/** The request as it is forwarded: it does not end with its client, but with the run. */
function detach({ request, original, body }: RunRequest, writer: RunWriter): HttpRequest {
  const { method, path, mount, query, secure, address } = request;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    if (body.length > 0) yield body;
  }
  return {
    method,
    path,
    mount,
    query,
    secure,
    address,
    header: (name) => request.header(name),
    body: async () => body,
    signal: new AbortController().signal,
    original: {
      version: original.version,
      search: original.search,
      headers: original.headers,
      hasBody: original.hasBody,
      body: chunks(),
      onGone: (listener) => writer.attach({ onClose: listener, onDrain() {}, onHalfClose() {} }),
    },
  };
}

/**
 * The key of a request, if it has one.
 * @throws {SpillwayError} `request-invalid`
 */
function readKey(request: HttpRequest, body: Buffer, keys: readonly RunKey[]): string | undefined {
  for (const { in: place, name } of keys) {
    const key =
      place === "header" ? request.header(name) : scalarText(createJsonPointer(name)(parseJson(body.toString())));
    if (key === undefined || key === "") continue;
    if (!/^[\x20-\x7e]{1,255}$/.test(key)) throw invalid(`${place}:${name}`, "1 to 255 visible ASCII characters", key);
    return key;
  }
  return undefined;
}
