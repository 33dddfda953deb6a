import { SpillwayError } from "../../errors.ts";
import type { LeaseDriver, StoredState, TakenLease } from "../engine/driver.ts";
import type { Clock } from "./clock.ts";
import { createLeases, type Self } from "./leases.ts";
import type { Queries } from "./queries.ts";
import type { NodeNames } from "./schema.ts";

/** The logs of a store, as far as leases need them. */
export interface FencedLogs {
  /** The latest fence in a stream's log that this node knows. */
  fenceOf(stream: string): number;
  /**
   * Makes a stream's log refuse all earlier fences, and resolves to its state, when this node knows all earlier
   * appends. `undefined` if the log has a later fence.
   */
  raise(stream: string, fence: number): Promise<StoredState | undefined>;
}

/**
 * Makes the lease driver of a store. A lease is a message in a separate JetStream stream, and can only be replaced by a
 * node that knows the current message. Its fence is also written to the log, so that every later append knows it.
 * `repair` creates the JetStream stream if it is missing.
 */
export function createLeaseDriver(
  queries: Queries,
  names: NodeNames,
  clock: Clock,
  logs: FencedLogs,
  self: Self,
  repair: () => Promise<void>,
): LeaseDriver {
  const leases = createLeases(queries, names, clock, self);

  async function acquire(stream: string, ttl: number): Promise<TakenLease | undefined> {
    const found = await leases.find(stream);
    // A lease that this store wrote without getting an answer may be taken over.
    if (found?.valid && (found.owner !== self.owner || leases.has(stream))) return undefined;
    const fence = Math.max(found?.fence ?? 0, logs.fenceOf(stream)) + 1;
    const lease = await leases.take(stream, found?.seq ?? 0, fence, ttl);
    if (!lease) return undefined;
    try {
      const state = await logs.raise(stream, fence);
      if (state) return { ...lease, state };
      await lease.release();
      return undefined;
    } catch (error) {
      void lease.release().catch(() => {});
      throw error;
    }
  }

  async function hasDemand(stream: string): Promise<boolean> {
    const now = await clock.now();
    for (let seq = 1; ;) {
      const message = await queries.next(names.stream, seq, names.wants(stream));
      if (!message) return false;
      const { ttl } = JSON.parse(Buffer.from(message.data).toString()) as { readonly ttl: number };
      if (ttl > 0 && now < message.time + ttl) return true;
      seq = message.seq + 1;
    }
  }

  /** If the JetStream stream was deleted, creates it again for the next attempt. */
  async function repaired<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      await repair().catch(() => {});
      throw error;
    }
  }

  return {
    acquire: (stream, ttl) => repaired(acquire(stream, ttl)),
    async holder(stream) {
      const found = await repaired(leases.find(stream));
      return found?.valid ? { node: found.node, fence: found.fence } : undefined;
    },
    async declareDemand(stream, ttl) {
      const data = Buffer.from(JSON.stringify({ ttl }));
      await repaired(queries.publish({ subject: names.want(stream, self.node), data }));
    },
    hasDemand: (stream) => repaired(hasDemand(stream)),
  };
}

/** The error for a request of the lease of a stream that is not open. */
export function notOpenError(stream: string): SpillwayError {
  return new SpillwayError("store-unavailable", `the log of ${stream} is not open`);
}
