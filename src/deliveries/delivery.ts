import { SpillwayError } from "../errors.ts";
import { compileFilter } from "../filter/filter.ts";
import type { DeliveryCommand } from "../http/gateway-context.ts";
import type { DeliveryStatus } from "../http/gateway-status.ts";
import type { EventCondition, LogStore } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import { pause } from "../util/pause.ts";
import { createDeadLetters, type DeadStream } from "./dead-letters.ts";
import { openJournal, type Journal } from "./journal.ts";
import type { DeliveryOptions } from "./options.ts";
import { createRun, type Run } from "./run.ts";
import type { DeliveryState } from "./state.ts";
import { statusOf } from "./status.ts";

/** A delivery as this process sees it: it may run here, or on another node. */
export interface Delivery {
  /**
   * Runs it. Idempotent. The first call resolves when the position is stored from which it delivers, or when that has
   * failed and is tried again.
   */
  start(): Promise<void>;
  /** Ends the run; resolves when its state is stored. Idempotent. */
  stop(): Promise<void>;
  /** Opens its logs again, of which the store has lost one. */
  renew(): Promise<void>;
  /** Its state here, or as another node has stored it. */
  status(): DeliveryStatus;
  /**
   * Carries a command out, wherever the delivery runs. Resolves when that is done, or after a timeout; it is done later
   * then.
   * @throws {SpillwayError} a `store-…` code.
   */
  command(command: DeliveryCommand): Promise<void>;
  /** Ends everything. */
  close(): Promise<void>;
}

/** What a delivery needs of the gateway. */
export interface DeliveryParts {
  readonly store: LogStore;
  /** A stream of the gateway; `undefined` while there is none with this name. */
  stream(name: string): DeadStream | undefined;
  /** The fence of the lease under which it runs; `undefined` if only one process has the store. */
  fence(): number | undefined;
  /** Called when the store refuses a state, because another node runs the delivery. */
  onLost(): void;
  readonly version: string;
  readonly logger: Logger;
}

/** The delay between two attempts to open the logs, in ms. */
const openDelay = 1_000;

/** How long attempts in flight may take when a run ends, in ms. */
const stopGrace = 2_000;

/** How long a command may take to be carried out, in ms. */
const commandTimeout = 2_000;

/** Creates a delivery and opens its journal in the background. */
export function createDelivery(name: string, options: DeliveryOptions, parts: DeliveryParts): Delivery {
  return new StreamDelivery(name, options, parts);
}

class StreamDelivery implements Delivery {
  readonly #name: string;
  readonly #options: DeliveryOptions;
  readonly #parts: DeliveryParts;
  /** Commands that wait until they are carried out. */
  readonly #waiting = new Set<() => void>();
  #opening: Promise<Journal>;
  /** The result of `#opening`. */
  #journal: Journal | undefined;
  #run: Run | undefined;
  /** Ends the current run; absent if it is not to run. */
  #ending: AbortController | undefined;
  #ended: Promise<void> = Promise.resolve();
  #tried: Promise<void> = Promise.resolve();

  constructor(name: string, options: DeliveryOptions, parts: DeliveryParts) {
    this.#name = name;
    this.#options = options;
    this.#parts = parts;
    this.#opening = this.#openJournal();
  }

  start(): Promise<void> {
    if (this.#ending) return this.#tried;
    const { signal } = (this.#ending = new AbortController());
    // States are stored under the lease of this start, so that they are refused once another node has taken over.
    const fence = this.#parts.fence();
    this.#tried = new Promise((resolve) => {
      this.#ended = this.#ended.then(() => this.#runUntil(signal, fence, resolve));
    });
    return this.#tried;
  }

  async stop(): Promise<void> {
    this.#ending?.abort();
    this.#ending = undefined;
    await this.#ended;
  }

  async renew(): Promise<void> {
    const wasRunning = this.#ending !== undefined;
    await this.stop();
    this.#journal?.stop();
    this.#opening = this.#openJournal();
    if (wasRunning) await this.start();
  }

  status(): DeliveryStatus {
    const { stream } = this.#options;
    const log = this.#parts.stream(stream)?.log;
    return statusOf(stream, log, this.#run?.state() ?? this.#journal?.state, this.#run?.activity);
  }

  async command(command: DeliveryCommand): Promise<void> {
    const journal = await this.#openedJournal();
    const seq = await journal.command(command);
    const isDone = (): boolean => (this.#journal?.state?.handled ?? 0) >= seq;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve();
      };
      const check = (): void => (isDone() ? finish() : undefined);
      const timer = setTimeout(finish, commandTimeout);
      this.#waiting.add(check);
      check();
    });
  }

  async close(): Promise<void> {
    await this.stop();
    await this.#opening.then(
      (journal) => journal.stop(),
      () => {},
    );
  }

  #openJournal(): Promise<Journal> {
    const onEntry = (): void => {
      this.#run?.onEntry();
      for (const check of this.#waiting) check();
    };
    const { store, logger } = this.#parts;
    const opening = openJournal(store, this.#name, onEntry, logger).then((journal) => (this.#journal = journal));
    opening.catch(() => {});
    return opening;
  }

  /** The journal; opens it again if that has failed. */
  #openedJournal(): Promise<Journal> {
    const opening = this.#opening;
    return opening.catch(() => {
      // Another caller may have opened it again.
      if (this.#opening === opening) this.#opening = this.#openJournal();
      return this.#opening;
    });
  }

  /** Opens the logs, with retries, and runs until the signal aborts. */
  async #runUntil(signal: AbortSignal, fence: number | undefined, onTried: () => void): Promise<void> {
    while (!signal.aborted && !this.#run) {
      try {
        this.#run = await this.#createRun(fence);
      } catch (error) {
        this.#parts.logger.warn({ err: error }, "the delivery cannot start");
        onTried();
        await pause(openDelay, signal);
      }
    }
    onTried();
    if (!signal.aborted) {
      this.#run?.start();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    }
    await this.#run?.stop(stopGrace);
    this.#run = undefined;
  }

  async #createRun(fence: number | undefined): Promise<Run> {
    const { logger, version, stream: find } = this.#parts;
    const { stream, filter, dead } = this.#options;
    const journal = await this.#openedJournal();
    await journal.catchUp();
    const source = find(stream);
    if (!source) throw new SpillwayError("stream-unknown", `no stream "${stream}"`);
    // Loads undici, which most gateways do not need.
    const { createEndpoint } = await import("./endpoint.ts");
    const letters = dead === undefined ? undefined : find(dead);
    return createRun({
      options: this.#options,
      log: source.log,
      where: filter === undefined ? [] : [await conditionOf(filter)],
      journal,
      endpoint: createEndpoint(this.#name, this.#options, version),
      dead: letters && createDeadLetters(this.#name, letters),
      save: (state) => this.#save(journal, state, fence),
      logger,
    });
  }

  async #save(journal: Journal, state: DeliveryState, fence: number | undefined): Promise<void> {
    try {
      await journal.save(state, fence);
    } catch (error) {
      if (error instanceof SpillwayError && error.code === "lease-lost") this.#parts.onLost();
      throw error;
    }
  }
}

/** An event for which the expression has no result is not sent. */
async function conditionOf(filter: string): Promise<EventCondition> {
  const { key, test } = await compileFilter(filter);
  return { key, matches: (event) => test(event) === true };
}
