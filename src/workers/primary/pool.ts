import { SpillwayError } from "../../errors.ts";
import { backoffDelay } from "../../util/backoff.ts";
import type { Logger } from "../../util/logger.ts";
import { forkWorker, type Ending, type WorkerProcess } from "./fork.ts";
import { toError, type ToPrimary } from "../ipc/messages.ts";

/** One worker after another under one number. */
export interface Member {
  /** From 1. */
  readonly number: number;
  /** The one that runs; `undefined` between two of them. */
  readonly process: WorkerProcess | undefined;
}

export interface PoolHost {
  /** How many clients a member's process serves. */
  clients(process: WorkerProcess): number;
  /** A process was started; it is to be told what to do. */
  onStarted(member: Member, process: WorkerProcess): void;
  onMessage(member: Member, message: Exclude<ToPrimary, { kind: "prepared" | "ready" | "failed" }>): void;
  onEnded(member: Member, process: WorkerProcess): void;
}

/** A number of workers, each replaced when it dies. */
export interface Pool {
  readonly members: readonly Member[];
  /**
   * Resolves to where they listen, once all do.
   * @throws {SpillwayError} why the first that failed cannot: `listen-failed`, `store-…`, `worker-failed`.
   */
  start(): Promise<{ readonly host: string; readonly port: number }>;
  /** Replaces no more; resolves once all have ended, which those that have not after `patience` ms do by force. */
  end(patience: number): Promise<void>;
}

/** One that lived this long, in ms, after it was ready did not die of its start. */
const healthy = 1000;

/** The pause before another try where start after start fails, in ms. The first replacement comes at once. */
const pause = { min: 250, max: 30_000 };

/** Makes a pool of `size` workers, none started. */
export function createPool(size: number, host: PoolHost, logger: Logger): Pool {
  const slots = Array.from({ length: size }, (_, index) => new Slot(index + 1, host, logger));
  return {
    members: slots,
    async start() {
      // All at the same moment: the first would else be given everyone who waits at the door.
      await Promise.all(slots.map((slot) => slot.start()));
      const addresses = await Promise.all(slots.map((slot) => slot.listen()));
      return addresses[0]!;
    },
    async end(patience) {
      const ended = Promise.all(slots.map((slot) => slot.end()));
      const force = setTimeout(() => slots.forEach((slot) => slot.process?.kill()), patience);
      await ended;
      clearTimeout(force);
    },
  };
}

type Ready = Extract<ToPrimary, { kind: "ready" }>;

class Slot implements Member {
  readonly number: number;
  process: WorkerProcess | undefined;
  readonly #host: PoolHost;
  readonly #logger: Logger;
  /** Starts in a row that came to nothing. */
  #failures = 0;
  #readyAt: number | undefined;
  /** One was ready, ever: from then on whoever dies is replaced. */
  #served = false;
  #retry: NodeJS.Timeout | undefined;
  #ending = false;
  /** Whoever is prepared may listen. */
  #open = false;
  #onPrepared: () => void = () => {};
  #onReady: (ready: Ready) => void = () => {};
  /** Why the first start came to nothing. */
  readonly #failed: Promise<never>;
  #onFailed!: (error: Error) => void;
  #onEnded: () => void = () => {};

  constructor(number: number, host: PoolHost, logger: Logger) {
    this.number = number;
    this.#host = host;
    this.#logger = logger;
    this.#failed = new Promise((_, reject) => {
      this.#onFailed = reject;
    });
    this.#failed.catch(() => {});
  }

  /** Resolves once the first process is prepared. */
  start(): Promise<void> {
    const prepared = new Promise<void>((resolve) => {
      this.#onPrepared = resolve;
    });
    this.#fork();
    return Promise.race([prepared, this.#failed]);
  }

  /** Resolves once it listens. */
  listen(): Promise<Ready> {
    const ready = new Promise<Ready>((resolve) => {
      this.#onReady = resolve;
    });
    this.#open = true;
    this.process?.channel.send({ kind: "listen" });
    return Promise.race([ready, this.#failed]);
  }

  end(): Promise<void> {
    this.#ending = true;
    clearTimeout(this.#retry);
    if (!this.process) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEnded = resolve;
    });
  }

  #fork(): void {
    this.#readyAt = undefined;
    try {
      this.process = forkWorker({
        clients: () => (this.process ? this.#host.clients(this.process) : 0),
        onMessage: (message) => this.#take(message),
        onEnd: (ending) => this.#end(ending),
      });
      this.#host.onStarted(this, this.process);
    } catch (error) {
      this.#logger.error({ worker: this.number, err: error }, "worker not started");
      this.#end({ code: null, signal: null });
    }
  }

  #take(message: ToPrimary): void {
    if (message.kind === "prepared") {
      if (this.#open) this.process?.channel.send({ kind: "listen" });
      this.#onPrepared();
    } else if (message.kind === "ready") {
      this.#readyAt = performance.now();
      this.#served = true;
      this.#logger.info({ worker: this.number, pid: this.process?.pid }, "worker ready");
      this.#onReady(message);
    } else if (message.kind === "failed") {
      if (this.#served) this.#logger.error({ worker: this.number, ...message.error }, "worker failed");
      this.#onFailed(toError(message.error));
    } else this.#host.onMessage(this, message);
  }

  #end({ code, signal }: Ending): void {
    const ended = this.process;
    this.process = undefined;
    if (ended) this.#host.onEnded(this, ended);
    if (this.#ending) return this.#onEnded();
    const early = `worker ${this.number} ended (${signal ?? code}) before it was ready`;
    if (!this.#served) return this.#onFailed(new SpillwayError("worker-failed", early));
    const livedLong = this.#readyAt !== undefined && performance.now() - this.#readyAt >= healthy;
    this.#failures = livedLong ? 0 : this.#failures + 1;
    const delay = this.#failures <= 1 ? 0 : Math.round(backoffDelay(this.#failures - 1, pause, 0, Math.random()));
    this.#logger.warn({ worker: this.number, pid: ended?.pid, code, signal, delay }, "worker ended; it is replaced");
    this.#retry = setTimeout(() => this.#fork(), delay);
  }
}
