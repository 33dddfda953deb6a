import type { Lease } from "../log.ts";
import type { Connections } from "./connections.ts";
import type { Tables } from "./tables.ts";

/** The server's clock, whatever its time zone. */
export const now = "UTC_TIMESTAMP(6)";

/** So many microseconds from now; one value. */
export const later: string = `${now} + INTERVAL ? MICROSECOND`;

/** What {@link later} takes. */
export function microseconds(ms: number): number {
  return Math.round(ms * 1000);
}

/** A lease that was taken. */
export interface LeaseDependencies {
  readonly connections: Connections;
  readonly tables: Tables;
  /** The stream's name. */
  readonly stream: Buffer;
  /** The node's name. */
  readonly node: string;
  readonly fence: number;
}

/** Makes the handle of a lease that was taken. */
export function createLease({ connections, tables, stream, node, fence }: LeaseDependencies): Lease {
  const isMine = "name = ? AND lease_fence = ? AND lease_node = ?";
  const mine = [stream, fence, Buffer.from(node)];
  let released = false;
  return {
    node,
    fence,
    async renew(ttl) {
      if (released) return false;
      const kept = await connections.ask((connection) =>
        connection.run(`UPDATE ${tables.streams} SET lease_until = ${later} WHERE ${isMine}`, [
          microseconds(ttl),
          ...mine,
        ]),
      );
      return kept > 0;
    },
    async release() {
      released = true;
      await connections.ask((connection) =>
        connection.run(`UPDATE ${tables.streams} SET lease_until = NULL WHERE ${isMine}`, mine),
      );
    },
  };
}
