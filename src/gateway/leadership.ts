import type { LeaseChange } from "../http/gateway-context.ts";
import type { Coordination, Lease, LeaseHolder } from "../log/coordination.ts";
import type { Logger } from "../util/logger.ts";

/** What runs on one node at a time. Both are idempotent. */
export interface Running {
  start(): void;
  /** Resolves once nothing of it goes on. */
  stop(): Promise<void>;
}

/** Runs something on one node of many: on the one that has the stream's lease. */
export interface Leadership {
  /** That of the lease that this node has; `undefined` where it has none. */
  readonly fence: number | undefined;
  /** Who has it: this node, or another one, as it was looked up last. */
  holder(): LeaseHolder | undefined;
  /** Begins to look for the lease. */
  start(): void;
  /** Whether somebody on this node needs it to run. Without any need on any node it runs nowhere. */
  need(needed: boolean): void;
  /** The store has refused the fence: another node has taken over. */
  lose(): void;
  /** Gives the lease back, and looks for no other. */
  stop(): Promise<void>;
}

export interface LeadershipOptions {
  readonly stream: string;
  readonly coordination: Coordination;
  /** How long a lease lasts that is not renewed, in ms. */
  readonly ttl: number;
  /** Whether it is needed at all times, without anybody's saying so. */
  readonly always: boolean;
  /** Told of each lease that this node takes, loses or gives back. Default: nobody is told. */
  readonly onChange?: (change: LeaseChange) => void;
  readonly logger: Logger;
}

/** How often one without a lease looks for it, in ms: a node that goes away in order is followed within that time. */
const longestLook = 400;

/** Makes the leadership of a stream. */
export function createLeadership(running: Running, options: LeadershipOptions): Leadership {
  return new StreamLeadership(running, options);
}

class StreamLeadership implements Leadership {
  readonly #running: Running;
  readonly #options: LeadershipOptions;
  #lease: Lease | undefined;
  /** Another node, as it was looked up last. */
  #holder: LeaseHolder | undefined;
  #started = false;
  #needed = false;
  /** The store may have been told that this node needs it. */
  #said = false;
  /** Ends the lease here when it may have ended in the store. */
  #expiry: NodeJS.Timeout | undefined;
  #next: NodeJS.Timeout | undefined;
  #look: Promise<void> | undefined;
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
    this.#turn();
  }

  need(needed: boolean): void {
    this.#needed = needed;
    this.#turn();
  }

  lose(): void {
    void this.#lose("another node has it");
  }

  async stop(): Promise<void> {
    this.#started = false;
    clearTimeout(this.#next);
    await this.#look;
    await Promise.all([this.#release(), this.#withdraw()]);
  }

  /** One look at a time; the next follows by itself. */
  #turn(): void {
    clearTimeout(this.#next);
    if (!this.#started || this.#look) return;
    this.#look = this.#lookUp().finally(() => {
      this.#look = undefined;
      const { ttl } = this.#options;
      // A renewal that failed is tried again while there is time.
      const renewed = this.#lease && !this.#failing;
      const pause = renewed ? ttl / 3 : Math.min(ttl / 4, longestLook) * (0.75 + Math.random() / 4);
      if (this.#started) this.#next = setTimeout(() => this.#turn(), pause);
    });
  }

  async #lookUp(): Promise<void> {
    const { stream, coordination, always, logger } = this.#options;
    try {
      await this.#say();
      const needed = always || this.#needed || (this.#lease && (await coordination.hasDemand(stream)));
      if (this.#lease) await (needed ? this.#renew(this.#lease) : this.#release());
      else if (needed) await this.#acquire();
      else this.#holder = await coordination.holder(stream);
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) logger.warn({ err: error }, "the lease cannot be looked up");
      this.#failing = true;
    }
  }

  /** Tells the other nodes whether it is needed here; where it never was, they know. */
  async #say(): Promise<void> {
    const { stream, coordination, ttl, always } = this.#options;
    const needed = this.#needed;
    if (always || (!needed && !this.#said)) return;
    this.#said = true;
    await coordination.declareDemand(stream, needed ? ttl : 0);
    this.#said = needed;
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
    // If it was stopped meanwhile, that gives the lease back.
    if (!this.#started) return;
    this.#keepUntil(asked + ttl);
    logger.info({ fence: lease.fence }, "lease taken");
    this.#running.start();
  }

  async #renew(lease: Lease): Promise<void> {
    const { ttl } = this.#options;
    const asked = performance.now();
    const kept = await lease.renew(ttl);
    if (this.#lease !== lease) return;
    if (kept) this.#keepUntil(asked + ttl);
    else await this.#lose("another node has it");
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
    this.#turn();
  }

  /** Once nothing is appended under it any more. */
  async #release(): Promise<void> {
    const lease = this.#lease;
    if (!lease) return;
    const { logger } = this.#options;
    await this.#running.stop();
    this.#lease = undefined;
    clearTimeout(this.#expiry);
    await lease.release().catch((error: unknown) => logger.warn({ err: error }, "lease not given back"));
    logger.info({ fence: lease.fence }, "lease given back");
    this.#options.onChange?.("released");
  }

  /** Another node would go on for the sake of this one until what it has said ends by itself. */
  async #withdraw(): Promise<void> {
    this.#needed = false;
    await this.#say().catch((error: unknown) => this.#options.logger.warn({ err: error }, "need not taken back"));
  }
}
