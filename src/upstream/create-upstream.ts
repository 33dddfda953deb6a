import { setTimeout as sleep } from "node:timers/promises";
import { beginSpan } from "../telemetry/spans.ts";
import type { Mutable } from "../util/mutable.ts";
import { createBatcher, type BatcherOptions } from "./batcher.ts";
import { connect, type Connection } from "./connect.ts";
import { describeBreak, toFailure, type UpstreamFailure } from "./failure.ts";
import { createOverlap } from "./overlap.ts";
import { readStream } from "./read-stream.ts";
import { sendable } from "./request.ts";
import { createRetry, type Retry } from "./retry.ts";
import { createTransport, type Transport } from "./transport.ts";
import type {
  Upstream,
  UpstreamBatch,
  UpstreamDependencies,
  UpstreamOptions,
  UpstreamState,
  UpstreamStatus,
  UpstreamTarget,
} from "./upstream.ts";

/**
 * Makes the upstream of a stream. In addition to the {@link Upstream} interface it guarantees:
 *
 * - Every failure is retried indefinitely, so that the gateway recovers by itself. If an operator must act first (401,
 *   403, 404), the delay is at least half of the longest one.
 * - A stream that ends normally is also followed by a delay.
 * - After `stop` no connection is left open.
 */
export function createUpstream(options: UpstreamOptions, deps: UpstreamDependencies): Upstream {
  return new Machine(options, deps);
}

/** From one `start` to its `stop`. */
interface Run {
  readonly controller: AbortController;
  /** Resolves once the run has ended completely. */
  readonly done: Promise<void>;
}

/** How an attempt ended: with a failure, with a stream that was closed normally, or with a `204`: no more events. */
type Ending = UpstreamFailure | "closed" | "gone";

class Machine implements Upstream {
  readonly #options: UpstreamOptions;
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
  /** Whether an event was received since the last gap; `undefined` before both, when the history is asked instead. */
  #receivedSinceGap: boolean | undefined;
  /**
   * The last event id of a client that has read the whole log. After a start it is assumed to be the cursor. If the
   * source had sent the cursor without an event, the next event lacks the id, and a client that resumes gets that event
   * twice.
   */
  #heldId: string | undefined;

  constructor(options: UpstreamOptions, deps: UpstreamDependencies) {
    this.#options = options;
    this.#deps = deps;
  }

  start(): void {
    this.#wanted = true;
    // While a stop is in progress its run still exists; `#finish` starts the next one.
    if (this.#run) return;
    this.#heldId = undefined;
    const controller = new AbortController();
    const retry = createRetry(this.#options, () => performance.now(), Math.random);
    const done = Promise.resolve().then(() => this.#connectForEver(retry, controller.signal));
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

  async #connectForEver(retry: Retry, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const ending = await this.#attempt(retry, signal);
      if (signal.aborted) return;
      if (ending === "gone") return this.#retire(retry);
      await this.#wait(retry, ending === "closed" ? undefined : ending, signal);
      if (signal.aborted) return;
      this.#status.reconnects++;
      this.#enter("connecting", { target: retry.target.name });
    }
  }

  async #attempt(retry: Retry, signal: AbortSignal): Promise<Ending> {
    this.#openSince = undefined;
    let transport: Transport | undefined;
    try {
      transport = createTransport(this.#options);
      const cursor = sendable(this.#deps.history.cursor(), this.#options.resume);
      const connection = await this.#connect(transport, retry.target, cursor, signal);
      if (!connection) return "gone";
      await this.#read(connection, cursor, retry, signal);
      return "closed";
    } catch (error) {
      return toFailure(error, this.#openSince === undefined ? "upstream-connect" : "upstream-ended");
    } finally {
      transport?.close();
    }
  }

  async #connect(
    transport: Transport,
    { name, url }: UpstreamTarget,
    cursor: string | undefined,
    signal: AbortSignal,
  ): Promise<Connection | undefined> {
    const span = beginSpan("spillway.upstream.connect", {
      "spillway.stream": this.#deps.stream ?? "",
      "spillway.target": name,
      "spillway.resumed": cursor !== undefined,
    });
    try {
      const connection = await connect(transport, url, this.#options, cursor, signal);
      span.end();
      return connection;
    } catch (error) {
      const { code, details } = toFailure(error, "upstream-connect");
      span.end(details.status === undefined ? {} : { "http.response.status_code": details.status }, code);
      throw error;
    }
  }

  async #read(connection: Connection, cursor: string | undefined, retry: Retry, signal: AbortSignal): Promise<void> {
    const { history, logger } = this.#deps;
    const { outcome } = connection;
    const target = retry.target.name;
    this.#openSince = performance.now();
    this.#enter("open", { openedAt: Date.now() });
    logger.info({ target, resumed: cursor !== undefined }, "upstream open");
    if (cursor === undefined && (this.#receivedSinceGap ?? history.hasEvents())) {
      await this.#deliver({ events: [], cursor: undefined, gap: true }, signal);
    }
    const onUncertain = (): void =>
      logger.warn(
        { target },
        "the source has not shown that it replays: its events without an id are kept, and some may be stored twice",
      );
    let warned = false;
    const onCount: BatcherOptions["onCount"] = (counter) => {
      this.#status[counter]++;
      if (counter === "refused" && !warned) logger.warn({ target }, refusedWarning);
      warned ||= counter === "refused";
    };
    const hasEvents = history.hasEvents();
    if (hasEvents) this.#heldId ??= history.cursor() ?? "";
    const batcher = createBatcher({
      cursor,
      // Without events, there are none that the source could repeat.
      overlap:
        cursor === undefined || !hasEvents
          ? undefined
          : createOverlap(history, { cursor, resumed: outcome === "resumed", onUncertain }),
      spillway: outcome !== undefined,
      heldId: this.#heldId,
      maxEventBytes: this.#options.maxEventBytes,
      onRetry: (ms) => retry.hint(ms),
      onCount,
    });
    await readStream(connection.body, this.#options.timeouts.idle, signal, async (chunk) => {
      for await (const batch of batcher.push(chunk)) await this.#deliver(batch, signal);
    });
  }

  async #deliver(batch: UpstreamBatch, signal: AbortSignal): Promise<void> {
    // Set even if the delivery fails: otherwise the loss of these events would not be reported as a gap.
    if (batch.events.length > 0) this.#receivedSinceGap = true;
    signal.throwIfAborted();
    await this.#deps.deliver(batch, signal);
    this.#heldId = batch.events.findLast(({ id }) => id !== undefined)?.id ?? this.#heldId;
    if (batch.gap && batch.events.length === 0) this.#receivedSinceGap = false;
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
}

const refusedWarning =
  "the source sent an event whose type begins with spillway. but is not a Spillway: such events are dropped; " +
  "if it is one, make sure that proxies pass the Spillway-Resume header of its responses";

/** The details of a failure that a log line shows. */
function known({ details: { status, contentType, reason } }: UpstreamFailure): object {
  const details = Object.entries({ status, contentType, reason });
  return Object.fromEntries(details.filter(([, value]) => value !== undefined));
}
