import { SpillwayError } from "../errors.ts";
import { createCoalescingCache } from "../util/coalescing-cache.ts";
import { createFairLimiter, type NotRun } from "../util/fair-limiter.ts";
import { addressKey } from "../util/ip-address.ts";
import type { Logger } from "../util/logger.ts";
import { readText, reasonOf } from "../util/remote-response.ts";
import { readAuthorizeResult, type AuthorizeFunction, type AuthorizeRequest, type GrantDecision } from "./authorize.ts";
import type { Identity, Recognition } from "./identity.ts";
import type { AuthorizeOptions } from "./options.ts";
import { fingerprint } from "./secret-hash.ts";

/** The user's own access decision, by a function or a service. */
export interface Authorizer {
  /** How admitted clients are identified. */
  readonly recognized: Recognition & { readonly by: "authorize" };
  /**
   * Identifies the sender of a request.
   * @throws {SpillwayError} `credential-invalid`, `credential-expired`, `access-denied`, `authorize-unavailable`.
   */
  identify(request: AuthorizeRequest, stream: string | undefined): Promise<Identity>;
}

interface AuthorizerDependencies {
  /** The client address that is sent to the service. */
  readonly addressOf: (request: AuthorizeRequest) => string | undefined;
  readonly logger: Logger;
}

/** Makes the authorizer for a function or a service. */
export function createAuthorizer(
  authorize: AuthorizeOptions | AuthorizeFunction,
  dependencies: AuthorizerDependencies,
): Authorizer {
  const isFunction = typeof authorize === "function";
  const recognized = { by: "authorize", under: isFunction ? numberOf(authorize) : fingerprint(authorize) } as const;
  if (!isFunction) return { recognized, identify: createAuthorizeService(authorize, recognized, dependencies) };
  return {
    recognized,
    identify: (request, stream) => decide(() => authorize({ request, stream }), recognized, dependencies.logger),
  };
}

/**
 * Runs a decision of the user's code about a request; see {@link AuthorizeFunction}.
 * @throws {SpillwayError} `access-denied`, `credential-required`, `credential-expired`, `authorize-unavailable`; the one
 * that the code throws.
 */
export async function decide(
  decision: () => GrantDecision,
  recognized: Recognition,
  logger: Logger,
): Promise<Identity> {
  try {
    const result = await decision();
    if (result !== undefined) return readAuthorizeResult(result, recognized);
  } catch (error) {
    if (error instanceof SpillwayError) throw error;
    const status = statusOf(error);
    if (status === 401) throw new SpillwayError("credential-required", undefined, { cause: error });
    if (status === 403) throw new SpillwayError("access-denied", undefined, { cause: error });
    logger.error({ err: error }, "the decision about a request failed");
    throw new SpillwayError("authorize-unavailable");
  }
  throw new SpillwayError("access-denied");
}

/** The status of an error, as frameworks name it. */
function statusOf(error: unknown): unknown {
  if (typeof error !== "object" || error === null) return undefined;
  const { status, statusCode } = error as { readonly status?: unknown; readonly statusCode?: unknown };
  return status ?? statusCode;
}

const numbers = new WeakMap<AuthorizeFunction, string>();
let made = 0;

/** Functions cannot be compared by value, so each gets a number: only the same function makes the same decisions. */
function numberOf(authorize: AuthorizeFunction): string {
  const number = numbers.get(authorize) ?? String(++made);
  numbers.set(authorize, number);
  return number;
}

/** Request headers that the service may need to identify the sender. */
const forwarded = ["authorization", "cookie", "x-api-key", "origin"] as const;
/** Maximum number of concurrent and of waiting requests to the service. They wait at most as long as `timeout`. */
const bounds = { atOnce: 128, waitingPerKey: 1000, waiting: 10_000 };
/** Maximum size of an answer, in bytes. */
const largest = 64 * 1024;

/** The body of the request to the service, as JSON. */
interface Question {
  readonly about: {
    readonly stream: string | null;
    readonly method: string;
    readonly path: string;
    readonly address: string | null;
  };
  readonly headers: Readonly<Record<string, string>>;
}

/** Asks the user's service to identify the sender of a request. Default deny: an invalid answer is a refusal. */
function createAuthorizeService(
  { url, timeout, cache, stale }: AuthorizeOptions,
  recognized: Recognition,
  { addressOf, logger }: AuthorizerDependencies,
): (request: AuthorizeRequest, stream: string | undefined) => Promise<Identity> {
  const limit = createFairLimiter({ ...bounds, acquireTimeout: timeout }, refuse);
  const decisions = createCoalescingCache<Identity>({ keepFor: cache, staleFor: stale, isAnswer });
  const ask = async (question: Question, address: string): Promise<Identity> => {
    try {
      return await limit(address, () => send(url, question, recognized, AbortSignal.timeout(timeout)));
    } catch (error) {
      if (error instanceof SpillwayError) throw error;
      logger.warn({ reason: reasonOf(error) }, "the authorize service is unavailable");
      throw new SpillwayError("authorize-unavailable", undefined, { retryAfter: 5 });
    }
  };
  return async (request, stream) => {
    const client = addressOf(request);
    const question = questionOf(request, stream, client);
    const address = client === undefined ? fingerprint(question.headers) : addressKey(client);
    const identity = await decisions.get(fingerprint(question), address, () => ask(question, address));
    // An answer may expire while it is cached.
    if (identity.expiresAt !== undefined && identity.expiresAt <= Date.now())
      throw new SpillwayError("credential-expired");
    return identity;
  };
}

const noAnswers: ReadonlySet<string> = new Set(["authorize-unavailable", "rate-limited"]);

/** A refusal is an answer too; the failure of a request that was not sent or not answered is not. */
function isAnswer(error: unknown): boolean {
  return error instanceof SpillwayError && !noAnswers.has(error.code);
}

function refuse(why: NotRun): Error {
  if (why !== "key") return new SpillwayError("authorize-unavailable", undefined, { retryAfter: 5 });
  const message = `at most ${bounds.waitingPerKey} requests per address may wait for the authorize service`;
  return new SpillwayError("rate-limited", message, { retryAfter: 5 });
}

function questionOf(request: AuthorizeRequest, stream: string | undefined, address: string | undefined): Question {
  const headers: Record<string, string> = {};
  for (const name of forwarded) {
    const value = request.header(name);
    if (value !== undefined) headers[name] = value;
  }
  const { method, path } = request;
  return { about: { stream: stream ?? null, method, path, address: address ?? null }, headers };
}

async function send(
  url: string,
  { about, headers }: Question,
  recognized: Recognition,
  signal: AbortSignal,
): Promise<Identity> {
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json", "accept": "application/json" },
    body: JSON.stringify(about),
    redirect: "manual",
    signal,
  });
  if (response.status === 200) return readAuthorizeResult(JSON.parse(await readText(response, largest)), recognized);
  await response.body?.cancel();
  if (response.status === 401) throw new SpillwayError("credential-invalid");
  if (response.status === 403) throw new SpillwayError("access-denied");
  throw new Error(`status ${response.status}`);
}
