import { SpillwayError } from "../../src/errors.ts";
import type { Coordination, Lease, LeaseHolder } from "../../src/log/coordination.ts";

/** The coordination of nodes in memory, for tests in which the store is unavailable or slow. */
export interface MemoryCoordination {
  /** The coordination for one node. */
  join(node: string): NodeCoordination;
  /** The holder of a stream's lease. */
  holder(stream: string): LeaseHolder | undefined;
  /** Ends the lease of a stream early. */
  revoke(stream: string): void;
}

export interface NodeCoordination extends Coordination {
  /** While it is true, nothing reaches the store: calls are rejected. */
  away: boolean;
  /** While it is true, calls reach the store, but their answers are held. */
  slow: boolean;
}

interface Held extends LeaseHolder {
  readonly until: number;
}

/** Makes a coordination without leases; `now` is the clock, in ms. */
export function createMemoryCoordination(now: () => number): MemoryCoordination {
  const leases = new Map<string, Held>();
  const wants = new Map<string, Map<string, number>>();
  let fences = 0;

  function current(stream: string): Held | undefined {
    const held = leases.get(stream);
    return held && held.until > now() ? held : undefined;
  }

  function join(node: string): NodeCoordination {
    async function call<T>(action: () => T): Promise<T> {
      if (coordination.away) throw new SpillwayError("store-unavailable");
      const result = action();
      while (coordination.slow) await new Promise((resolve) => setTimeout(resolve, 1));
      return result;
    }

    function leaseOf(stream: string, fence: number): Lease {
      const isHeld = (): boolean => current(stream)?.fence === fence;
      return {
        node,
        fence,
        renew: (ttl) =>
          call(() => {
            if (!isHeld()) return false;
            leases.set(stream, { node, fence, until: now() + ttl });
            return true;
          }),
        release: () =>
          call(() => {
            if (isHeld()) leases.delete(stream);
          }),
      };
    }

    const coordination: NodeCoordination = {
      away: false,
      slow: false,
      acquire: (stream, ttl) =>
        call(() => {
          if (current(stream)) return undefined;
          const fence = ++fences;
          leases.set(stream, { node, fence, until: now() + ttl });
          return leaseOf(stream, fence);
        }),
      holder: (stream) => call(() => holder(stream)),
      declareDemand: (stream, ttl) =>
        call(() => {
          const nodes = wants.get(stream) ?? new Map<string, number>();
          wants.set(stream, nodes.set(node, now() + ttl));
        }),
      hasDemand: (stream) => call(() => [...(wants.get(stream)?.values() ?? [])].some((until) => until > now())),
    };
    return coordination;
  }

  function holder(stream: string): LeaseHolder | undefined {
    const held = current(stream);
    return held && { node: held.node, fence: held.fence };
  }

  return { join, holder, revoke: (stream) => void leases.delete(stream) };
}
