import { randomUUID } from "node:crypto";
import type { LeaseDriver } from "../engine/driver.ts";
import type { RunStatement } from "./connections.ts";
import { streamColumns } from "./queries.ts";
import { toRow } from "./streams.ts";
import { encodeText } from "./text.ts";

/** This many ms from now on, by the server's clock. */
const after = (ttl: string): string => `clock_timestamp() + ${ttl}::float8 * interval '1 ms'`;

/** A fence is the time of its lease, or one more than the last: after a failover that has lost the last one it is a new one too. */
const milliseconds = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/**
 * Makes the leases of a schema. A lease is part of the stream's own row, so that taking one waits for the append under way, and
 * every later append sees it.
 */
export function createLeases(run: RunStatement, schema: string, node: string): LeaseDriver {
  const table = (name: string): string => `"${schema}".${name}`;
  // Two processes with the name of one node, such as an old one that still ends, do not share their leases.
  const store = randomUUID();

  return {
    async acquire(stream, ttl) {
      // The store that has it may have it again: it asks because the answer to its first question was lost.
      const [found] = await run({
        text: `
          UPDATE ${table("streams")} s
          SET fence = greatest(fence + 1, ${milliseconds}), holder = $2, holder_store = $3, lease_ends = ${after("$4")}
          WHERE name = $1 AND (holder IS NULL OR holder_store = $3 OR lease_ends <= clock_timestamp())
          RETURNING ${streamColumns}, fence`,
        values: [encodeText(stream), node, store, ttl],
      });
      if (!found) return undefined;
      const state = toRow(found);
      const fence = Number(found.fence);
      const mine = "id = $1 AND epoch = $2 AND fence = $3";
      const key = [state.id, state.epoch, fence];
      return {
        fence,
        state,
        async renew(duration) {
          const kept = await run({
            text: `UPDATE ${table("streams")} SET lease_ends = ${after("$4")}
              WHERE ${mine} AND holder IS NOT NULL RETURNING fence`,
            values: [...key, duration],
          });
          return kept.length > 0;
        },
        async release() {
          await run({
            text: `UPDATE ${table("streams")} SET holder = NULL, holder_store = NULL, lease_ends = NULL WHERE ${mine}`,
            values: key,
          });
        },
      };
    },
    async holder(stream) {
      const [row] = await run({
        text: `SELECT holder, fence FROM ${table("streams")}
          WHERE name = $1 AND holder IS NOT NULL AND lease_ends > clock_timestamp()`,
        values: [encodeText(stream)],
      });
      return row && { node: String(row.holder), fence: Number(row.fence) };
    },
    async declareDemand(stream, ttl) {
      const name = encodeText(stream);
      const declare = `
        INSERT INTO ${table("wants")} SELECT id, $2, ${after("$3")} FROM ${table("streams")} WHERE name = $1
        ON CONFLICT (stream, node) DO UPDATE SET ends = excluded.ends`;
      const takeBack = `
        DELETE FROM ${table("wants")} w USING ${table("streams")} s
        WHERE s.id = w.stream AND s.name = $1 AND w.node = $2`;
      await run(ttl > 0 ? { text: declare, values: [name, node, ttl] } : { text: takeBack, values: [name, node] });
    },
    async hasDemand(stream) {
      const [row] = await run({
        text: `
          SELECT EXISTS (
            SELECT FROM ${table("wants")} w JOIN ${table("streams")} s ON s.id = w.stream
            WHERE s.name = $1 AND w.ends > clock_timestamp()
          ) AS wanted`,
        values: [encodeText(stream)],
      });
      return row?.wanted === true;
    },
  };
}
