import { setTimeout as sleep } from "node:timers/promises";
import { beginSpan } from "../telemetry/spans.ts";
import type { Mutable } from "../util/mutable.ts";
import { describeBreak, toFailure, type UpstreamFailure } from "./failure.ts";
import { createRetry, type Retry } from "./retry.ts";
import type { Attempt, CreateSource, Source, SourceBatch, SourceConnection } from "./source.ts";
import type {
  Upstream,
  UpstreamAttempt,
  UpstreamDependencies,
  UpstreamOptions,
  UpstreamState,
  UpstreamStatus,
  UpstreamTarget,
} from "./upstream.ts";

/**
 * Makes the upstream of a stream. In addition to the {@link Upstream} interface it guarantees:
 *
 * - Every failure of the source is retried indefinitely, so that the gateway recovers by itself. If an operator must act
 *   first (401, 403, 404), the delay is at least half of the longest one.
 * - A stream that ends normally is also followed by a delay.
 * - After `stop` no connection is left open.
 */
export function createUpstream(
  options: UpstreamOptions,
  createSource: CreateSource,
  deps: UpstreamDependencies,
): Upstream {
  return new Machine(options, createSource, deps);
}

/** From one `start` to its `stop`. */
interface Run {
  readonly controller: AbortController;
  /** Resolves once the run has ended completely. */
  readonly done: Promise<void>;
}

/** How many attempts are remembered. */
const mostAttempts = 20;

/** How an attempt ended: with a failure, with a stream that was closed normally, or with a `204`: no more events. */
type Ending = UpstreamFailure | "closed" | "gone";

class Machine implements Upstream {
  readonly #options: UpstreamOptions;
  readonly #createSource: CreateSource;
  readonly #deps: UpstreamDependencies;
  readonly #status: Mutable<UpstreamStatus> = {
    state: "idle",
    target: undefined,
    reconnects: 0,
    received: 0,
    repeated: 0,
    refused: 0,
    errors: 0,
    lastError: undefined,
    retryAt: undefined,
    openedAt: undefined,
  };
  #wanted = false;
  #run: Run | undefined;
  #stopping: Promise<void> | undefined;
  /** When the stream of this attempt was opened, in ms of the monotonic clock. */
  #openSince: number | undefined;
  /** When the current attempt began, in ms since 1970. */
  #startedAt = 0;
  /** The attempts that have ended, the newest first. */
  #attempts: readonly UpstreamAttempt[] = [];
  /** Whether an event was received since the last gap; `undefined` before both, when the history is asked instead. */
  #receivedSinceGap: boolean | undefined;

  constructor(options: UpstreamOptions, createSource: CreateSource, deps: UpstreamDependencies) {
    this.#options = options;
    this.#createSource = createSource;
    this.#deps = deps;
  }

  start(): void {
    this.#wanted = true;
    // While a stop is in progress its run still exists; `#finish` starts the next one.
    if (this.#run) return;
    const controller = new AbortController();
    const retry = createRetry(this.#options, () => performance.now(), Math.random);
    const done = Promise.resolve().then(() => this.#connectForEver(this.#createSource(), retry, controller.signal));
    this.#run = { controller, done };
    this.#enter("connecting", { target: retry.target.name });
  }

  stop(): Promise<void> {
    this.#wanted = false;
    this.#run?.controller.abort();
    this.#stopping ??= this.#finish();
    return this.#stopping;
  }

  status(): UpstreamStatus {
    return { ...this.#status };
  }

  attempts(): readonly UpstreamAttempt[] {
    const { state, target } = this.#status;
    if (state !== "open") return this.#attempts;
    return [this.#describe(target!, "open"), ...this.#attempts].slice(0, mostAttempts);
  }

  #describe(target: string, outcome: UpstreamAttempt["outcome"], failure?: UpstreamFailure): UpstreamAttempt {
    return {
      startedAt: new Date(this.#startedAt).toISOString(),
      target,
      outcome,
      openFor: this.#openSince === undefined ? null : Math.round(performance.now() - this.#openSince),
      error: failure?.code ?? null,
      status: failure?.details.status ?? null,
      reason: failure?.details.reason ?? null,
    };
  }

  async #finish(): Promise<void> {
    await this.#run?.done;
    this.#run = undefined;
    this.#stopping = undefined;
    this.#enter("idle");
    if (this.#wanted) this.start();
  }

  /** The only place where the state changes. */
  #enter(state: UpstreamState, change: Partial<UpstreamStatus> = {}): void {
    const changed = state !== this.#status.state;
    Object.assign(this.#status, { retryAt: undefined, openedAt: undefined }, change, { state });
    if (changed) this.#deps.onState?.(this.status());
  }

  async #connectForEver(source: Source, retry: Retry, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const ending = await this.#attempt(source, retry, signal);
      if (signal.aborted) return;
      const failure = typeof ending === "string" ? undefined : ending;
      const ended = this.#describe(retry.target.name, failure ? "failed" : "ended", failure);
      this.#attempts = [ended, ...this.#attempts].slice(0, mostAttempts);
      if (ending === "gone") return this.#retire(retry);
      if (ending !== "closed" && ending.details.final) return this.#halt(ending, retry);
      await this.#wait(retry, ending === "closed" ? undefined : ending, signal);
      if (signal.aborted) return;
      this.#status.reconnects++;
      this.#enter("connecting", { target: retry.target.name });
    }
  }

  async #attempt(source: Source, retry: Retry, signal: AbortSignal): Promise<Ending> {
    this.#openSince = undefined;
    this.#startedAt = Date.now();
    let connection: SourceConnection | undefined;
    try {
      connection = await this.#open(source, retry, signal);
      if (!connection) return "gone";
      await this.#read(connection, retry.target, signal);
      return "closed";
    } catch (error) {
      return toFailure(error, this.#openSince === undefined ? "upstream-connect" : "upstream-ended");
    } finally {
      connection?.close();
    }
  }

  async #open(source: Source, retry: Retry, signal: AbortSignal): Promise<SourceConnection | undefined> {
    const { stream = "", history } = this.#deps;
    const span = beginSpan("spillway.upstream.connect", {
      "spillway.stream": stream,
      "spillway.target": retry.target.name,
      "spillway.resumed": history.cursor() !== undefined,
    });
    try {
      const connection = await source.open(retry.target, this.#attemptOf(retry, signal));
      span.end();
      return connection;
    } catch (error) {
      const { code, details } = toFailure(error, "upstream-connect");
      span.end(details.status === undefined ? {} : { "http.response.status_code": details.status }, code);
      throw error;
    }
  }

  #attemptOf(retry: Retry, signal: AbortSignal): Attempt {
    const { stream = "", history, logger } = this.#deps;
    const target = retry.target.name;
    const warn = (message: string): void => logger.warn({ target }, message);
    let warned = false;
    return {
      stream,
      history,
      signal,
      warn,
      onRetry: (ms) => retry.hint(ms),
      count: (counter, reason) => {
        this.#status[counter]++;
        if (reason !== undefined && !warned) warn(reason);
        warned ||= reason !== undefined;
      },
    };
  }

  async #read({ resumed, batches }: SourceConnection, target: UpstreamTarget, signal: AbortSignal): Promise<void> {
    const { history, logger } = this.#deps;
    this.#openSince = performance.now();
    this.#enter("open", { openedAt: Date.now() });
    logger.info({ target: target.name, resumed }, "upstream open");
    if (!resumed && (this.#receivedSinceGap ?? history.hasEvents())) {
      await this.#deliver({ events: [], cursor: undefined, gap: true }, signal);
    }
    for await (const batch of batches) await this.#deliver(batch, signal);
  }

  async #deliver(batch: SourceBatch, signal: AbortSignal): Promise<void> {
    const { events, cursor, gap } = batch;
    // Set even if the delivery fails: otherwise the loss of these events would not be reported as a gap.
    if (events.length > 0) this.#receivedSinceGap = true;
    signal.throwIfAborted();
    if (events.length > 0 || gap || cursor !== undefined) await this.#deps.deliver({ events, cursor, gap }, signal);
    batch.acknowledge?.();
    if (gap && events.length === 0) this.#receivedSinceGap = false;
  }

  /** Waits for the next attempt. */
  async #wait(retry: Retry, failure: UpstreamFailure | undefined, signal: AbortSignal): Promise<void> {
    const target = retry.target.name;
    const openFor = this.#openSince === undefined ? undefined : performance.now() - this.#openSince;
    const delay = Math.round(retry.after(failure, openFor));
    if (failure) this.#status.errors++;
    this.#enter("waiting", { lastError: failure?.code ?? "upstream-ended", retryAt: Date.now() + delay });
    const fields = { target, attempt: retry.failures, delay };
    const { logger } = this.#deps;
    const message = describeBreak(failure, delay);
    if (failure) logger.warn({ ...fields, code: failure.code, ...known(failure) }, message);
    else logger.info({ ...fields, code: "upstream-ended" }, message);
    await sleep(delay, undefined, { signal }).catch(() => {});
  }

  /** The source has no more events: the upstream does not connect again before the next `start`. */
  #retire(retry: Retry): void {
    this.#deps.logger.info({ target: retry.target.name, status: 204 }, "the upstream has no more events");
    this.#enter("stopped");
  }

  /** The upstream does not connect again before the next `start`, because that would not help. */
  #halt({ code, message }: UpstreamFailure, retry: Retry): void {
    this.#status.errors++;
    this.#enter("stopped", { lastError: code });
    this.#deps.logger.error({ target: retry.target.name, code }, `${message}; the upstream is stopped until a reload`);
  }
}

/** The details of a failure that a log line shows. */
function known({ details: { status, contentType, reason } }: UpstreamFailure): object {
  const details = Object.entries({ status, contentType, reason });
  return Object.fromEntries(details.filter(([, value]) => value !== undefined));
}
