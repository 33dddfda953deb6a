import type { Caller } from "../http/gateway-context.ts";
import type { HttpHeaders, HttpRequest, OriginalRequest } from "../http/message.ts";
import type { Balancer } from "./balancer.ts";
import type { CreateEventFilter } from "./event-filters.ts";
import type { BodyFilter, ExchangeEnd, ExchangeListener, FilterEnds } from "./exchange.ts";
import type { IdleWatch } from "./idle-watch.ts";
import type { RouteOptions } from "./options.ts";
import type { RequestBody } from "./request-body.ts";
import type { ForwardedFacts } from "./request-head.ts";
import { responseHead, type ResponseHead } from "./response-head.ts";
import type { RetryBudget } from "./retry-budget.ts";
import type { RouteCounts } from "./route-counts.ts";
import type { Target } from "./target.ts";

/** What the relay of a route needs. */
export interface RelayDependencies {
  readonly route: RouteOptions;
  readonly balancer: Balancer;
  readonly budget: RetryBudget;
  readonly counts: RouteCounts;
  /** Watches over the time to the head of a response, and over bodies. */
  readonly heads: IdleWatch;
  readonly idle: IdleWatch;
  /** Changes event streams; absent where they pass as they are. */
  readonly filter?: CreateEventFilter | undefined;
}

/** What is known of the client and of the gateway around the route. */
export interface RelayFacts extends ForwardedFacts {
  /** Whether the gateway has a cross-origin policy, which replaces the target's. */
  readonly hasCors: boolean;
}

/** A request that is relayed. */
export interface RelayedRequest {
  readonly request: HttpRequest;
  readonly original: OriginalRequest;
  readonly caller: Caller;
  readonly facts: RelayFacts;
  readonly dependencies: RelayDependencies;
  /** Absent for a request without a body. */
  readonly body: RequestBody | undefined;
  /** Whether the client has got an informational response, which must not come from several targets. */
  isInformed: boolean;
}

/** Answers by which a target, or what it depends on, says that it cannot serve. A 500 is an answer of the application. */
export type FailedStatus = 502 | 503 | 504;

/** Whether a status is one of them. */
export function isFailed(status: number): status is FailedStatus {
  return status >= 502 && status <= 504;
}

/**
 * A request that a target has. What it refers to lives as long as the response: the request itself is dropped when the
 * body begins.
 */
export class Attempt implements ExchangeListener {
  readonly #target: Target;
  readonly #balancer: Balancer;
  readonly #counts: RouteCounts;
  readonly #body: RequestBody | undefined;
  #request: RelayedRequest | undefined;
  #isReported = false;
  #isAnswered = false;
  #isEnded = false;

  /** The target has been entered. */
  constructor(request: RelayedRequest, target: Target, isFirst: boolean) {
    const { balancer, counts } = request.dependencies;
    this.#request = request;
    this.#target = target;
    this.#balancer = balancer;
    this.#counts = counts;
    this.#body = request.body;
    const targetCounts = counts.target(target.name);
    targetCounts.requests++;
    if (!isFirst) targetCounts.retries++;
  }

  /** The client gets the response. */
  answer(status: number): void {
    this.#isAnswered = true;
    this.#counts.answered(status);
    if (this.#isEnded) this.#counts.end();
  }

  toHead(status: number, fields: readonly string[]): ResponseHead {
    const { dependencies, facts } = this.#request!;
    const head = responseHead(status, fields, dependencies.route, facts.hasCors);
    // An event stream has no end at which to report that it has come.
    if (isFailed(status) || head.isEventStream) this.#report(isFailed(status));
    return head;
  }

  onInform(status: number, headers: HttpHeaders): void {
    const { original } = this.#request!;
    if (!original.inform) return;
    this.#request!.isInformed = true;
    original.inform(status, headers);
  }

  filter(head: ResponseHead, ends: FilterEnds): BodyFilter | undefined {
    const { request, caller, dependencies } = this.#request!;
    this.#request = undefined;
    return dependencies.filter?.(head, ends, { path: request.path, subject: caller.identity.subject });
  }

  onEnd(end: ExchangeEnd): void {
    this.#isEnded = true;
    this.#target.leave();
    const isFault = end !== "complete" && end !== "aborted" && !this.#body?.failure;
    if (isFault || end === "complete") this.#report(isFault);
    if (isFault && this.#isAnswered) this.#counts.cut(end);
    if (this.#isAnswered) this.#counts.end();
  }

  /** Takes the outcome; later ones are ignored. */
  #report(failed: boolean): void {
    if (this.#isReported) return;
    this.#isReported = true;
    if (failed) this.#counts.target(this.#target.name).failures++;
    this.#balancer.report(this.#target, failed);
  }
}
