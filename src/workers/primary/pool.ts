import { SpillwayError } from "../../errors.ts";
import { backoffDelay } from "../../util/backoff.ts";
import type { Logger } from "../../util/logger.ts";
import { forkWorker, type Ending, type WorkerProcess } from "./fork.ts";
import { toError, type ToPrimary } from "../ipc/messages.ts";

/** A numbered position in the pool, filled by one worker process after another. */
export interface Member {
  /** From 1. */
  readonly number: number;
  /** The running process; `undefined` until a replacement starts. */
  readonly process: WorkerProcess | undefined;
}

export interface PoolHost {
  /** The number of clients that a process serves. */
  clients(process: WorkerProcess): number;
  /** A process was started, and expects its `start` message. */
  onStarted(member: Member, process: WorkerProcess): void;
  onMessage(member: Member, message: Exclude<ToPrimary, { kind: "prepared" | "ready" | "failed" }>): void;
  onEnded(member: Member, process: WorkerProcess): void;
}

/** A number of workers, each replaced when it dies. */
export interface Pool {
  readonly members: readonly Member[];
  /**
   * Starts all workers and resolves to their address, once all of them listen.
   * @throws {SpillwayError} the error of the first worker that fails: `listen-failed`, `store-…`, `worker-failed`.
   */
  start(): Promise<{ readonly host: string; readonly port: number }>;
  /** Stops replacing workers and resolves once all have exited. Kills the remaining ones after `timeout` ms. */
  end(timeout: number): Promise<void>;
}

/** How long a worker must run after it was ready for its start to count as successful, in ms. */
const minUptime = 1000;

/** The delay before a further attempt after failed starts, in ms. The first replacement starts at once. */
const pause = { min: 250, max: 30_000 };

/** Creates a pool of `size` workers and starts none. */
export function createPool(size: number, host: PoolHost, logger: Logger): Pool {
  const slots = Array.from({ length: size }, (_, index) => new Slot(index + 1, host, logger));
  return {
    members: slots,
    async start() {
      // All workers start to listen at the same time. Otherwise the first one would get all waiting connections.
      await Promise.all(slots.map((slot) => slot.start()));
      const addresses = await Promise.all(slots.map((slot) => slot.listen()));
      return addresses[0]!;
    },
    async end(timeout) {
      const ended = Promise.all(slots.map((slot) => slot.end()));
      const force = setTimeout(() => slots.forEach((slot) => slot.process?.kill()), timeout);
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
  /** The number of consecutive failed starts. */
  #failures = 0;
  #readyAt: number | undefined;
  /** Whether a process was ever ready. From then on, a process that dies is replaced. */
  #wasReady = false;
  #retry: NodeJS.Timeout | undefined;
  #ending = false;
  /** Whether a prepared process may listen. */
  #mayListen = false;
  #onPrepared: () => void = () => {};
  #onReady: (ready: Ready) => void = () => {};
  /** Rejects with the error of the first start. */
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

  /** Resolves once the first process listens. */
  listen(): Promise<Ready> {
    const ready = new Promise<Ready>((resolve) => {
      this.#onReady = resolve;
    });
    this.#mayListen = true;
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
      this.#logger.error({ worker: this.number, err: error }, "the worker could not be started");
      this.#end({ code: null, signal: null });
    }
  }

  #take(message: ToPrimary): void {
    if (message.kind === "prepared") {
      if (this.#mayListen) this.process?.channel.send({ kind: "listen" });
      this.#onPrepared();
    } else if (message.kind === "ready") {
      this.#readyAt = performance.now();
      this.#wasReady = true;
      this.#logger.info({ worker: this.number, pid: this.process?.pid }, "worker ready");
      this.#onReady(message);
    } else if (message.kind === "failed") {
      if (this.#wasReady) this.#logger.error({ worker: this.number, ...message.error }, "worker failed");
      this.#onFailed(toError(message.error));
    } else this.#host.onMessage(this, message);
  }

  #end({ code, signal }: Ending): void {
    const ended = this.process;
    this.process = undefined;
    if (ended) this.#host.onEnded(this, ended);
    if (this.#ending) return this.#onEnded();
    const early = `worker ${this.number} exited (${signal ?? code}) before it was ready`;
    if (!this.#wasReady) return this.#onFailed(new SpillwayError("worker-failed", early));
    const livedLong = this.#readyAt !== undefined && performance.now() - this.#readyAt >= minUptime;
    this.#failures = livedLong ? 0 : this.#failures + 1;
    const delay = this.#failures <= 1 ? 0 : Math.round(backoffDelay(this.#failures - 1, pause, 0, Math.random()));
    this.#logger.warn({ worker: this.number, pid: ended?.pid, code, signal, delay }, "worker ended; it is replaced");
    this.#retry = setTimeout(() => this.#fork(), delay);
  }
}
