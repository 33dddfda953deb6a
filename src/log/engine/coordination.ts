import type { Coordination, Lease } from "../coordination.ts";
import type { LeaseDriver, OpenLog, TakenLease } from "./driver.ts";

/** What coordination needs of its store. */
export interface CoordinationDependencies {
  readonly leases: LeaseDriver;
  /** The node's name. */
  readonly node: string;
  logOf(stream: string): OpenLog | undefined;
  /** Does a call of the driver, and turns what it throws into what callers get. */
  ask<T>(call: () => Promise<T>): Promise<T>;
}

/** Makes what the nodes of a store agree on. */
export function createCoordination({ leases, node, logOf, ask }: CoordinationDependencies): Coordination {
  function createLease({ fence, renew, release }: TakenLease): Lease {
    let released = false;
    return {
      node,
      fence,
      renew: async (ttl) => !released && ask(() => renew(ttl)),
      async release() {
        released = true;
        // One that cannot be given back ends by itself.
        await ask(release).catch(() => {});
      },
    };
  }

  return {
    async acquire(stream, ttl) {
      const taken = await ask(() => leases.acquire(stream, ttl));
      if (!taken) return undefined;
      // The node that takes over continues where the one before stopped, so it must know all that was appended.
      if (taken.state) logOf(stream)?.observe(taken.state);
      else logOf(stream)?.replace();
      return createLease(taken);
    },
    holder: (stream) => ask(() => leases.holder(stream)),
    declareDemand: (stream, ttl) => ask(() => leases.declareDemand(stream, ttl)),
    hasDemand: (stream) => ask(() => leases.hasDemand(stream)),
  };
}
