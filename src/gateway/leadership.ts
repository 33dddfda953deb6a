import type { LeaseChange } from "../http/gateway-context.ts";
import type { Coordination, Lease, LeaseHolder } from "../log/coordination.ts";
import type { Logger } from "../util/logger.ts";

/** Something that runs on one node at a time. Both methods are idempotent. */
export interface Running {
  start(): void;
  /** Resolves once it has stopped completely. */
  stop(): Promise<void>;
}

/** Runs something on only one of many nodes: the one that holds the stream's lease. */
export interface Leadership {
  /** The fence of this node's lease; `undefined` if another node or none holds the lease. */
  readonly fence: number | undefined;
  /** The holder of the lease: this node, or the other node that held it at the last check. */
  holder(): LeaseHolder | undefined;
  /** Begins to check the lease. */
  start(): void;
  /** Sets whether this node needs it to run. It runs nowhere if no node needs it. */
  need(needed: boolean): void;
  /** Call when the store has refused the fence, because another node has taken over. */
  lose(): void;
  /** Releases the lease and checks it no more. */
  stop(): Promise<void>;
}

export interface LeadershipOptions {
  readonly stream: string;
  readonly coordination: Coordination;
  /** How long a lease lasts without a renewal, in ms. */
  readonly ttl: number;
  /** Whether it always runs, with no need for {@link Leadership.need}. */
  readonly always: boolean;
  /** Called when this node acquires, loses or releases a lease. Default: nothing. */
  readonly onChange?: (change: LeaseChange) => void;
  readonly logger: Logger;
}

/**
 * The longest interval between two checks without a lease, in ms: the failover time after a node has shut down cleanly.
 */
const longestCheckInterval = 400;

/** Creates the leadership of a stream. */
export function createLeadership(running: Running, options: LeadershipOptions): Leadership {
  return new StreamLeadership(running, options);
}

class StreamLeadership implements Leadership {
  readonly #running: Running;
  readonly #options: LeadershipOptions;
  #lease: Lease | undefined;
  /** The other node that held the lease at the last check. */
  #holder: LeaseHolder | undefined;
  #started = false;
  #needed = false;
  /** Whether the store may hold a demand of this node. */
  #declared = false;
  /** Ends the lease here when it may have ended in the store. */
  #expiry: NodeJS.Timeout | undefined;
  #next: NodeJS.Timeout | undefined;
  #checking: Promise<void> | undefined;
  #failing = false;

  constructor(running: Running, options: LeadershipOptions) {
    this.#running = running;
    this.#options = options;
  }

  get fence(): number | undefined {
    return this.#lease?.fence;
  }

  holder(): LeaseHolder | undefined {
    return this.#lease ? { node: this.#lease.node, fence: this.#lease.fence } : this.#holder;
  }

  start(): void {
    this.#started = true;
    this.#check();
  }

  need(needed: boolean): void {
    this.#needed = needed;
    this.#check();
  }

  lose(): void {
    void this.#lose("another node holds it");
  }

  async stop(): Promise<void> {
    this.#started = false;
    clearTimeout(this.#next);
    await this.#checking;
    await Promise.all([this.#release(), this.#withdraw()]);
  }

  /** Checks the lease unless a check is running, and schedules the next check. */
  #check(): void {
    clearTimeout(this.#next);
    if (!this.#started || this.#checking) return;
    this.#checking = this.#updateLease().finally(() => {
      this.#checking = undefined;
      const { ttl } = this.#options;
      // A failed renewal is retried soon, before the lease expires.
      const renewed = this.#lease && !this.#failing;
      const pause = renewed ? ttl / 3 : Math.min(ttl / 4, longestCheckInterval) * (0.75 + Math.random() / 4);
      if (this.#started) this.#next = setTimeout(() => this.#check(), pause);
    });
  }

  async #updateLease(): Promise<void> {
    const { stream, coordination, always, logger } = this.#options;
    try {
      await this.#declareDemand();
      const needed = always || this.#needed || (this.#lease && (await coordination.hasDemand(stream)));
      if (this.#lease) await (needed ? this.#renew(this.#lease) : this.#release());
      else if (needed) await this.#acquire();
      else this.#holder = await coordination.holder(stream);
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) logger.warn({ err: error }, "the lease cannot be checked");
      this.#failing = true;
    }
  }

  /** Declares in the store whether this node needs it. Without an earlier declaration, no demand is the default. */
  async #declareDemand(): Promise<void> {
    const { stream, coordination, ttl, always } = this.#options;
    const needed = this.#needed;
    if (always || (!needed && !this.#declared)) return;
    this.#declared = true;
    await coordination.declareDemand(stream, needed ? ttl : 0);
    this.#declared = needed;
  }

  async #acquire(): Promise<void> {
    const { stream, coordination, ttl, logger } = this.#options;
    const asked = performance.now();
    const lease = await coordination.acquire(stream, ttl);
    if (!lease) {
      this.#holder = await coordination.holder(stream);
      return;
    }
    this.#lease = lease;
    this.#holder = undefined;
    this.#options.onChange?.("taken");
    // `stop` was called during the request and will release the lease.
    if (!this.#started) return;
    this.#keepUntil(asked + ttl);
    logger.info({ fence: lease.fence }, "lease acquired");
    this.#running.start();
  }

  async #renew(lease: Lease): Promise<void> {
    const { ttl } = this.#options;
    const asked = performance.now();
    const kept = await lease.renew(ttl);
    if (this.#lease !== lease) return;
    if (kept) this.#keepUntil(asked + ttl);
    else await this.#lose("another node holds it");
  }

  #keepUntil(time: number): void {
    clearTimeout(this.#expiry);
    this.#expiry = setTimeout(() => void this.#lose("it could not be renewed"), Math.max(0, time - performance.now()));
  }

  async #lose(reason: string): Promise<void> {
    if (!this.#lease) return;
    const { fence } = this.#lease;
    this.#lease = undefined;
    clearTimeout(this.#expiry);
    this.#options.logger.warn({ fence, reason }, "lease lost");
    this.#options.onChange?.("lost");
    await this.#running.stop();
    this.#check();
  }

  /** Releases the lease after the last append under it. */
  async #release(): Promise<void> {
    const lease = this.#lease;
    if (!lease) return;
    const { logger } = this.#options;
    await this.#running.stop();
    this.#lease = undefined;
    clearTimeout(this.#expiry);
    await lease.release().catch((error: unknown) => logger.warn({ err: error }, "the lease could not be released"));
    logger.info({ fence: lease.fence }, "lease released");
    this.#options.onChange?.("released");
  }

  /** Withdraws this node's demand. Otherwise another node would keep running for it until the demand expires. */
  async #withdraw(): Promise<void> {
    this.#needed = false;
    await this.#declareDemand().catch((error: unknown) =>
      this.#options.logger.warn({ err: error }, "the demand could not be withdrawn"),
    );
  }
}
