import type { LeaseDriver, TakenLease } from "../engine/driver.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { openStream, optionalText } from "./streams.ts";
import type { Tables } from "./tables.ts";

/** The server's clock, whatever its time zone. */
const now = "UTC_TIMESTAMP(6)";

/** This many microseconds from now on; one value. */
const later = `${now} + INTERVAL ? MICROSECOND`;

/** What {@link later} takes. */
function microseconds(ms: number): number {
  return Math.round(ms * 1000);
}

/** Makes the leases of a node, which are columns of the streams' rows. */
export function createLeases({ lend }: Connections, tables: Tables, node: string): LeaseDriver {
  const { streams, wants } = tables;
  const me = Buffer.from(node);

  /** Returns whether it was free, or this node's. */
  async function take(connection: Connection, stream: Buffer, ttl: number): Promise<boolean> {
    const taken = await connection.run(
      `UPDATE ${streams} SET lease_fence = lease_fence + 1, lease_node = ?, lease_until = ${later}
      WHERE name = ? AND (lease_until IS NULL OR lease_until <= ${now} OR lease_node = ?)`,
      [me, microseconds(ttl), stream, me],
    );
    return taken > 0;
  }

  /** What can be done with the lease that has this fence. */
  function handle(stream: Buffer, fence: number): Pick<TakenLease, "renew" | "release"> {
    const isMine = "name = ? AND lease_fence = ? AND lease_node = ?";
    const mine = [stream, fence, me];
    const update = (until: string, ...values: number[]): Promise<number> =>
      lend((connection) =>
        connection.run(`UPDATE ${streams} SET lease_until = ${until} WHERE ${isMine}`, [...values, ...mine]),
      );
    return {
      renew: async (ttl) => (await update(later, microseconds(ttl))) > 0,
      release: async () => void (await update("NULL")),
    };
  }

  return {
    acquire: (stream, ttl) =>
      lend(async (connection) => {
        const name = Buffer.from(stream);
        let taken = await take(connection, name, ttl);
        let row = await openStream(connection, tables, stream);
        if (!taken && row.fence === 0) {
          // No node ever had it, maybe because the stream did not exist.
          taken = await take(connection, name, ttl);
          row = await openStream(connection, tables, stream);
        }
        if (!taken || row.leaseNode !== node) return undefined;
        return { fence: row.fence, state: row, ...handle(name, row.fence) };
      }),
    holder: (stream) =>
      lend(async (connection) => {
        const [row] = await connection.rows(
          `SELECT lease_node AS node, lease_fence AS fence FROM ${streams} WHERE name = ? AND lease_until > ${now}`,
          [Buffer.from(stream)],
        );
        return row && { node: optionalText(row["node"])!, fence: Number(row["fence"]) };
      }),
    declareDemand: (stream, ttl) =>
      lend(async (connection) => {
        const name = Buffer.from(stream);
        const declare = `REPLACE INTO ${wants} (stream, node, wanted_until) VALUES (?, ?, ${later})`;
        if (ttl > 0) await connection.run(declare, [name, me, microseconds(ttl)]);
        else await connection.run(`DELETE FROM ${wants} WHERE stream = ? AND node = ?`, [name, me]);
      }),
    hasDemand: (stream) =>
      lend(async (connection) => {
        const isWanted = `SELECT 1 FROM ${wants} WHERE stream = ? AND wanted_until > ${now} LIMIT 1`;
        return (await connection.rows(isWanted, [Buffer.from(stream)])).length > 0;
      }),
  };
}
