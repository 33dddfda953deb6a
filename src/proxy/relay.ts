import { readCookie } from "../access/cookie.ts";
import { SpillwayError } from "../errors.ts";
import type { Caller } from "../http/gateway-context.ts";
import type { HttpRequest, OriginalRequest } from "../http/message.ts";
import { Attempt, isFailed, type RelayDependencies, type RelayedRequest, type RelayFacts } from "./attempt.ts";
import { Exchange, type RelayedResponse } from "./exchange.ts";
import type { RetryCause, RouteOptions } from "./options.ts";
import { RequestBody } from "./request-body.ts";
import { bodyLength, requestHeaders, targetPath } from "./request-head.ts";
import { TargetFailure } from "./target-failure.ts";
import type { Target } from "./target.ts";

/** Methods that may be repeated (RFC 9110 §9.2.2). */
const idempotent: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/**
 * Forwards a request to one of the route's targets, and to others where the first does not answer.
 * @throws {SpillwayError} `target-failed`, `target-timeout`, `target-unavailable`, `request-invalid`.
 */
export async function relay(
  request: HttpRequest,
  original: OriginalRequest,
  caller: Caller,
  facts: RelayFacts,
  dependencies: RelayDependencies,
): Promise<RelayedResponse> {
  const { counts } = dependencies;
  counts.begin();
  try {
    return await new Relay(request, original, caller, facts, dependencies).run();
  } catch (error) {
    counts.failed(error);
    throw error;
  }
}

/** A request on its way to a target, or to several one after the other. */
class Relay implements RelayedRequest {
  readonly request: HttpRequest;
  readonly original: OriginalRequest;
  readonly caller: Caller;
  readonly facts: RelayFacts;
  readonly dependencies: RelayDependencies;
  readonly body: RequestBody | undefined;
  isInformed = false;
  readonly #client: Client;
  readonly #fields: readonly string[];
  readonly #length: number | null | undefined;
  readonly #tried = new Set<Target>();

  constructor(
    request: HttpRequest,
    original: OriginalRequest,
    caller: Caller,
    facts: RelayFacts,
    dependencies: RelayDependencies,
  ) {
    this.request = request;
    this.original = original;
    this.caller = caller;
    this.facts = facts;
    this.dependencies = dependencies;
    const length = bodyLength(original);
    const headers = requestHeaders(request, original, dependencies.route, facts);
    if (typeof length === "number") headers.set("content-length", String(length));
    this.#length = length;
    this.#fields = headers.fields();
    this.body = length === undefined || length === 0 ? undefined : new RequestBody(original.body);
    this.#client = watchClient(original, dependencies.route.halfClose);
  }

  async run(): Promise<RelayedResponse> {
    this.dependencies.budget.count();
    let target = this.#choose();
    if (!target) throw new SpillwayError("target-unavailable", undefined, { retryAfter: 1 });
    for (let attempts = 0; ; attempts++) {
      this.#tried.add(target);
      let next: Target | undefined;
      try {
        // May throw, and who has entered must leave.
        const path = targetPath(this.request.path, this.original.search, this.dependencies.route, target.url.pathname);
        if (!target.tryEnter()) await this.#enter(target);
        const attempt = new Attempt(this, target, attempts === 0);
        const answer = await this.#send(attempt, path, target, attempts === 0);
        next = this.#afterAnswer(answer.status, attempts);
        if (!next) {
          attempt.answer(answer.status);
          return answer;
        }
        if ("open" in answer) answer.abandon();
      } catch (error) {
        if (this.body?.failure) throw this.body.failure;
        if (!(error instanceof TargetFailure)) throw error;
        next = this.#afterFailure(error, target, attempts);
        if (!next) throw error.toError(target.name);
      }
      target = next;
    }
  }

  /** Waits for a place. */
  async #enter(target: Target): Promise<void> {
    const gone = new AbortController();
    this.#client.onGone = () => gone.abort();
    if (this.#client.isGone) gone.abort();
    await target.enter(gone.signal);
  }

  #send(attempt: Attempt, path: string, target: Target, isFirst: boolean): Promise<RelayedResponse> {
    const { route, heads, idle } = this.dependencies;
    const { original, body } = this;
    const request = {
      path,
      method: this.request.method,
      headers: this.#fields,
      upgrade: original.upgrade !== undefined && route.websocket ? original.upgrade : null,
      body: body ?? null,
      // Whoever counts its chunks otherwise would take the rest for a request (GHSA-ggv3-7p47-pfv8).
      reset: this.#length === null,
    };
    const exchange = new Exchange({ request, upload: body, halfClose: route.halfClose, heads, idle }, attempt);
    this.#client.onGone = () => exchange.abort();
    if (this.#client.isGone) exchange.abort();
    // Another target may have closed the connection that a retry would take.
    else target.dispatch(request, exchange, !isFirst);
    return exchange.answer;
  }

  #choose(): Target | undefined {
    const { balancer, route } = this.dependencies;
    return balancer.choose(this.#tried, () => hashKey(this.request, this.caller, route));
  }

  #afterAnswer(status: number, attempt: number): Target | undefined {
    const isRepeatable = isFailed(status) && idempotent.has(this.request.method);
    return isRepeatable ? this.#next(status, attempt) : undefined;
  }

  #afterFailure(failure: TargetFailure, target: Target, attempt: number): Target | undefined {
    const cause = causeOf(failure, this.request.method);
    // The target may have closed a kept connection just when the request was sent.
    const isStale = attempt === 0 && failure.how === "broken" && failure.code === "target-failed";
    return cause === undefined ? undefined : this.#next(cause, attempt, isStale ? target : undefined);
  }

  /**
   * The target of a retry; `undefined` if the request is not to be sent again.
   * @param fallback the target if no other can be used
   */
  #next(cause: RetryCause, attempt: number, fallback?: Target): Target | undefined {
    const { attempts, on } = this.dependencies.route.upstream.retry;
    if (!on.includes(cause) || attempt >= attempts) return undefined;
    if (this.isInformed || this.body?.isRead === true || this.#client.isGone) return undefined;
    const target = this.#choose() ?? fallback;
    return target && this.dependencies.budget.take() ? target : undefined;
  }
}

/** Whether a client is still there, and what ends with it. */
interface Client {
  isGone: boolean;
  onGone: (() => void) | undefined;
}

/** A function of its own: what listens to a connection refers to nothing else as long as the connection lives. */
function watchClient(original: OriginalRequest, halfClose: RouteOptions["halfClose"]): Client {
  const client: Client = { isGone: false, onGone: undefined };
  original.onGone(() => {
    client.isGone = true;
    client.onGone?.();
  }, halfClose);
  return client;
}

/** What a failure is for `retry.on`; `undefined` if the target may have acted on a request that must not be repeated. */
function causeOf({ how, code }: TargetFailure, method: string): RetryCause | undefined {
  if (how === "refused") return "refused";
  if (!idempotent.has(method)) return undefined;
  return code === "target-timeout" ? 504 : "unsent";
}

function hashKey(request: HttpRequest, { identity, address }: Caller, { upstream: { balance } }: RouteOptions): string {
  if (typeof balance === "string") return "";
  const { hash } = balance;
  if (hash === "subject") return identity.subject;
  if (hash === "address") return address ?? "";
  const [kind, name = ""] = hash.split(":", 2);
  return (kind === "header" ? request.header(name) : readCookie(request.header("cookie"), name)) ?? address ?? "";
}
