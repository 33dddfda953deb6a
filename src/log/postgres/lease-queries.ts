import type { Statement } from "./driver.ts";
import { streamColumns } from "./streams.ts";
import { encodeText } from "./text.ts";

/** The statements by which nodes agree. All times are the server's. */
export interface LeaseQueries {
  /** The stream's row and the fence; no row while another store has the lease. Ends after `ttl` ms. */
  acquireLease(name: string, node: string, store: string, ttl: number): Statement;
  /** The fence; no row where the lease is lost. */
  renewLease(id: number, epoch: string, fence: number, ttl: number): Statement;
  /** Does nothing where the lease is lost. */
  releaseLease(id: number, epoch: string, fence: number): Statement;
  /** The node that has the lease, and its fence; no row if none has. */
  selectHolder(name: string): Statement;
  /** Says for `ttl` ms that a node needs the stream's events. */
  want(name: string, node: string, ttl: number): Statement;
  /** Takes that back. */
  unwant(name: string, node: string): Statement;
  /** Whether any node does. */
  isWanted(name: string): Statement;
}

/** So many ms from now on, by the server's clock. */
const after = (ttl: string): string => `clock_timestamp() + ${ttl}::float8 * interval '1 ms'`;

/** A fence is the time of its lease, or one more than the last: also behind a failover that has lost the last one it is a new one. */
const milliseconds = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/** Makes the statements over a schema. */
export function createLeaseQueries(schema: string): LeaseQueries {
  const table = (name: string): string => `"${schema}".${name}`;

  return {
    acquireLease: (name, node, store, ttl) => ({
      // The store that has it may have it again: it asks because the answer to its first question was lost.
      text: `
        UPDATE ${table("streams")} s
        SET fence = greatest(fence + 1, ${milliseconds}), holder = $2, holder_store = $3, lease_ends = ${after("$4")}
        WHERE name = $1 AND (holder IS NULL OR holder_store = $3 OR lease_ends <= clock_timestamp())
        RETURNING ${streamColumns}, fence`,
      values: [encodeText(name), node, store, ttl],
    }),
    renewLease: (id, epoch, fence, ttl) => ({
      text: `
        UPDATE ${table("streams")} SET lease_ends = ${after("$4")}
        WHERE id = $1 AND epoch = $2 AND fence = $3 AND holder IS NOT NULL RETURNING fence`,
      values: [id, epoch, fence, ttl],
    }),
    releaseLease: (id, epoch, fence) => ({
      text: `UPDATE ${table("streams")} SET holder = NULL, holder_store = NULL, lease_ends = NULL
        WHERE id = $1 AND epoch = $2 AND fence = $3`,
      values: [id, epoch, fence],
    }),
    selectHolder: (name) => ({
      text: `SELECT holder, fence FROM ${table("streams")}
        WHERE name = $1 AND holder IS NOT NULL AND lease_ends > clock_timestamp()`,
      values: [encodeText(name)],
    }),
    want: (name, node, ttl) => ({
      text: `
        INSERT INTO ${table("wants")} SELECT id, $2, ${after("$3")} FROM ${table("streams")} WHERE name = $1
        ON CONFLICT (stream, node) DO UPDATE SET ends = excluded.ends`,
      values: [encodeText(name), node, ttl],
    }),
    unwant: (name, node) => ({
      text: `DELETE FROM ${table("wants")} w USING ${table("streams")} s WHERE s.id = w.stream AND s.name = $1 AND w.node = $2`,
      values: [encodeText(name), node],
    }),
    isWanted: (name) => ({
      text: `
        SELECT EXISTS (
          SELECT FROM ${table("wants")} w JOIN ${table("streams")} s ON s.id = w.stream
          WHERE s.name = $1 AND w.ends > clock_timestamp()
        ) AS wanted`,
      values: [encodeText(name)],
    }),
  };
}
