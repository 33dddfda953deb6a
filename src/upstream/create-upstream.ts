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
 * The client side of a stream. What it promises beyond the port:
 *
 * - It tries again for ever, whatever went wrong: a gateway must heal by itself. Where only a person can help (401, 403, 404) it
 *   waits half the longest delay at least.
 * - A stream that ends in good order is followed by a delay too.
 * - After `stop` no connection is left.
 */
export function createUpstream(options: UpstreamOptions, deps: UpstreamDependencies): Upstream {
  return new Machine(options, deps);
}

/** From one `start` to its `stop`. */
interface Run {
  readonly controller: AbortController;
  /** Resolves once nothing of it is under way. */
  readonly done: Promise<void>;
}

/** How an attempt ended: by a failure, by a stream that was closed in order, or with the word that there is no more. */
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
  /** When the stream of this attempt was opened, in ms of the clock that never goes back. */
  #openSince: number | undefined;
  /** Whether something was received since the last gap; `undefined` before either, when only the history knows. */
  #receivedSinceGap: boolean | undefined;
  /**
   * The id that a reader of the log holds at its end. After a start that is taken to be the cursor: if the source had sent the cursor
   * without an event, the next one lacks it, and a reader that resumes gets that one twice.
   */
  #heldId: string | undefined;

  constructor(options: UpstreamOptions, deps: UpstreamDependencies) {
    this.#options = options;
    this.#deps = deps;
  }

  start(): void {
    this.#wanted = true;
    // While a stop is in flight its run is still here, and the next one starts at its end.
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
        "the source has not shown that it replays: its events without an id are kept, some perhaps twice",
      );
    let warned = false;
    const onCount: BatcherOptions["onCount"] = (counter) => {
      this.#status[counter]++;
      if (counter === "refused" && !warned) logger.warn({ target }, refusedWarning);
      warned ||= counter === "refused";
    };
    if (history.hasEvents()) this.#heldId ??= history.cursor() ?? "";
    const batcher = createBatcher({
      cursor,
      overlap:
        cursor === undefined
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
    // Also if the delivery fails: what was received and is nowhere else would be lost in silence.
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

  /** The source has no more: it is not asked again before the next `start`. */
  #retire(retry: Retry): void {
    this.#deps.logger.info({ target: retry.target.name, status: 204 }, "the upstream has no more");
    this.#enter("stopped");
  }
}

const refusedWarning =
  "the source sent an event whose type begins with spillway. and is no Spillway: such events are dropped; " +
  "if it is one, let the header Spillway-Resume of its responses through";

/** The details of a failure that a log line shows. */
function known({ details: { status, contentType, reason } }: UpstreamFailure): object {
  const details = Object.entries({ status, contentType, reason });
  return Object.fromEntries(details.filter(([, value]) => value !== undefined));
}
