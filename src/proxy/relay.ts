import { readCookie } from "../access/credentials.ts";
import { SpillwayError } from "../errors.ts";
import type { Caller } from "../http/gateway-context.ts";
import type { HttpRequest, OriginalRequest } from "../http/message.ts";
import type { Balancer } from "./balancer.ts";
import type { CreateEventFilter } from "./event-filters.ts";
import { exchange, TargetFailure, type RelayedResponse, type Upload } from "./exchange.ts";
import type { IdleWatch } from "./idle-watch.ts";
import type { RetryCause, RouteOptions } from "./options.ts";
import { bodyLength, requestHeaders, targetPath, type ForwardedFacts } from "./request-head.ts";
import { responseHead } from "./response-head.ts";
import type { RetryBudget } from "./retry-budget.ts";
import type { RequestCount, RouteCounts } from "./route-counts.ts";
import type { Target } from "./target.ts";

/** What the relay of a route needs. */
export interface RelayDependencies {
  readonly route: RouteOptions;
  readonly balancer: Balancer;
  readonly budget: RetryBudget;
  readonly counts: RouteCounts;
  readonly idle: IdleWatch;
  /** Changes event streams; absent where they pass as they are. */
  readonly filter?: CreateEventFilter | undefined;
}

/** What is known of the client and of the gateway around the route. */
export interface RelayFacts extends ForwardedFacts {
  /** Whether the gateway has a cross-origin policy, which replaces the target's. */
  readonly hasCors: boolean;
}

/** Methods that may be repeated (RFC 9110 §9.2.2). */
const idempotent: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** Answers by which a target, or what it depends on, says that it cannot serve. A 500 is an answer of the application. */
type FailedStatus = 502 | 503 | 504;

function isFailed(status: number): status is FailedStatus {
  return status >= 502 && status <= 504;
}

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
  const count = dependencies.counts.begin();
  try {
    const answer = await new Relay(request, original, caller, facts, dependencies, count).run();
    count.answered(answer.status);
    return answer;
  } catch (error) {
    count.failed(error);
    throw error;
  }
}

/** A request on its way to a target, or to several one after the other. */
class Relay {
  readonly #request: HttpRequest;
  readonly #original: OriginalRequest;
  readonly #caller: Caller;
  readonly #facts: RelayFacts;
  readonly #dependencies: RelayDependencies;
  readonly #count: RequestCount;
  readonly #signal: AbortSignal;
  readonly #fields: readonly string[];
  readonly #length: number | null | undefined;
  readonly #body: Body | undefined;
  readonly #tried = new Set<Target>();
  #isInformed = false;

  constructor(
    request: HttpRequest,
    original: OriginalRequest,
    caller: Caller,
    facts: RelayFacts,
    dependencies: RelayDependencies,
    count: RequestCount,
  ) {
    this.#request = request;
    this.#original = original;
    this.#caller = caller;
    this.#facts = facts;
    this.#dependencies = dependencies;
    this.#count = count;
    const gone = new AbortController();
    original.onGone(() => gone.abort(), dependencies.route.halfClose);
    this.#signal = gone.signal;
    const length = bodyLength(original);
    const headers = requestHeaders(request, original, dependencies.route, facts);
    if (typeof length === "number") headers.set("content-length", String(length));
    this.#length = length;
    this.#fields = Array.from(headers.entries(), ([name, values]) => values.flatMap((value) => [name, value])).flat();
    this.#body = length === undefined || length === 0 ? undefined : new Body(original.body);
  }

  async run(): Promise<RelayedResponse> {
    this.#dependencies.budget.count();
    let target = this.#choose();
    if (!target) throw new SpillwayError("target-unavailable", undefined, { retryAfter: 1 });
    for (let attempt = 0; ; attempt++) {
      this.#tried.add(target);
      let next: Target | undefined;
      try {
        const answer = await this.#send(target, attempt === 0);
        next = this.#afterAnswer(answer.status, attempt);
        if (!next) return answer;
        if ("open" in answer) answer.abandon();
      } catch (error) {
        if (this.#body?.failure) throw this.#body.failure;
        if (!(error instanceof TargetFailure)) throw error;
        next = this.#afterFailure(error, target, attempt);
        if (!next) throw error.toError(target.name);
      }
      target = next;
    }
  }

  async #send(target: Target, isFirst: boolean): Promise<RelayedResponse> {
    const { route, counts, idle, filter } = this.#dependencies;
    const { path, method } = this.#request;
    const original = this.#original;
    const targetedPath = targetPath(path, original.search, route, target.url.pathname);
    const leave = await target.enter(this.#signal);
    const targetCounts = counts.target(target.name);
    targetCounts.requests++;
    if (!isFirst) targetCounts.retries++;
    this.#count.hold();
    const report = this.#reportOnce(target);
    let isAnswered = false;
    const answer = await exchange({
      target,
      // Another target may have closed the connection that a retry would take.
      fresh: !isFirst,
      request: {
        path: targetedPath,
        method,
        headers: this.#fields as string[],
        upgrade: original.upgrade !== undefined && route.websocket ? original.upgrade : null,
        // undici takes any iterable.
        body: (this.#body ?? null) as Uint8Array | null,
        // Whoever counts its chunks otherwise would take the rest for a request (GHSA-ggv3-7p47-pfv8).
        reset: this.#length === null,
      },
      upload: this.#body,
      halfClose: route.halfClose,
      headersTimeout: route.upstream.timeouts.headers,
      idle,
      signal: this.#signal,
      toHead: (status, texts) => {
        const head = responseHead(status, texts, route, this.#facts.hasCors);
        // An event stream has no end at which to report that it has come.
        if (isFailed(status) || head.isEventStream) report(isFailed(status));
        return head;
      },
      inform:
        original.inform &&
        ((status, headers) => {
          this.#isInformed = true;
          original.inform!(status, headers);
        }),
      filter: filter && ((head, ends) => filter(head, ends, { path, subject: this.#caller.identity.subject })),
      onEnd: (end) => {
        leave();
        const isFault = end !== "complete" && end !== "aborted" && !this.#body?.failure;
        if (isFault || end === "complete") report(isFault);
        if (isFault && isAnswered) this.#count.cut(end);
        this.#count.release();
      },
    });
    isAnswered = true;
    return answer;
  }

  /** Takes the outcome of an attempt; later ones are ignored. */
  #reportOnce(target: Target): (failed: boolean) => void {
    const { balancer, counts } = this.#dependencies;
    let isReported = false;
    return (failed) => {
      if (isReported) return;
      isReported = true;
      if (failed) counts.target(target.name).failures++;
      balancer.report(target, failed);
    };
  }

  #choose(): Target | undefined {
    const { balancer, route } = this.#dependencies;
    return balancer.choose(this.#tried, () => hashKey(this.#request, this.#caller, route));
  }

  #afterAnswer(status: number, attempt: number): Target | undefined {
    const isRepeatable = isFailed(status) && idempotent.has(this.#request.method);
    return isRepeatable ? this.#next(status, attempt) : undefined;
  }

  #afterFailure(failure: TargetFailure, target: Target, attempt: number): Target | undefined {
    const cause = causeOf(failure, this.#request.method);
    // The target may have closed a kept connection just when the request was sent.
    const isStale = attempt === 0 && failure.how === "broken" && failure.code === "target-failed";
    return cause === undefined ? undefined : this.#next(cause, attempt, isStale ? target : undefined);
  }

  /**
   * The target of a retry; `undefined` if the request is not to be sent again.
   * @param fallback the target if no other can be used
   */
  #next(cause: RetryCause, attempt: number, fallback?: Target): Target | undefined {
    const { attempts, on } = this.#dependencies.route.upstream.retry;
    if (!on.includes(cause) || attempt >= attempts) return undefined;
    if (this.#isInformed || this.#body?.isRead === true || this.#signal.aborted) return undefined;
    const target = this.#choose() ?? fallback;
    return target && this.#dependencies.budget.take() ? target : undefined;
  }
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

/** A request's body, which can be read by one attempt only. */
class Body implements AsyncIterable<Uint8Array>, Upload {
  readonly #chunks: AsyncIterable<Uint8Array>;
  isRead = false;
  /** Why the client's body could not be read. */
  failure: Error | undefined;
  onProgress: (() => void) | undefined;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    const chunks = this.#chunks[Symbol.asyncIterator]();
    return {
      next: async () => {
        this.isRead = true;
        this.onProgress?.();
        try {
          return await chunks.next();
        } catch (error) {
          this.failure = error as Error;
          throw error;
        }
      },
      return: async () => {
        if (this.isRead) await chunks.return?.();
        return { done: true, value: undefined };
      },
    };
  }
}
