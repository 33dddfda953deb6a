import type { Coordination, Lease } from "../log.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { type StreamRow, openStream, optionalText } from "./streams.ts";
import { createLease, later, microseconds, now } from "./lease.ts";
import type { Tables } from "./tables.ts";

/** What the coordination of a node needs. */
export interface CoordinationDependencies {
  readonly connections: Connections;
  readonly tables: Tables;
  /** The node's name. */
  readonly node: string;
  /** A stream's row was read after its lease was taken. */
  onAcquired(stream: string, row: StreamRow): void;
}

/** Makes what nodes agree on by rows of the database. */
export function createCoordination(dependencies: CoordinationDependencies): Coordination {
  const { connections, tables, node, onAcquired } = dependencies;
  const me = Buffer.from(node);

  /** Returns whether it was free, or this node's. */
  async function take(connection: Connection, stream: Buffer, ttl: number): Promise<boolean> {
    const taken = await connection.run(
      `UPDATE ${tables.streams} SET lease_fence = lease_fence + 1, lease_node = ?, lease_until = ${later}
      WHERE name = ? AND (lease_until IS NULL OR lease_until <= ${now} OR lease_node = ?)`,
      [me, microseconds(ttl), stream, me],
    );
    return taken > 0;
  }

  function acquire(stream: string, ttl: number): Promise<Lease | undefined> {
    return connections.ask(async (connection) => {
      const name = Buffer.from(stream);
      let taken = await take(connection, name, ttl);
      let row = await openStream(connection, tables, stream);
      if (!taken && row.fence === 0) {
        // Nobody ever had it, maybe since there was no such stream.
        taken = await take(connection, name, ttl);
        row = await openStream(connection, tables, stream);
      }
      if (!taken || row.leaseNode !== node) return undefined;
      onAcquired(stream, row);
      return createLease({ connections, tables, stream: name, node, fence: row.fence });
    });
  }

  return {
    acquire,
    holder: (stream) =>
      connections.ask(async (connection) => {
        const [row] = await connection.rows(
          `SELECT lease_node AS node, lease_fence AS fence FROM ${tables.streams} WHERE name = ? AND lease_until > ${now}`,
          [Buffer.from(stream)],
        );
        return row && { node: optionalText(row["node"])!, fence: Number(row["fence"]) };
      }),
    declareDemand: (stream, ttl) =>
      connections.ask(async (connection) => {
        const [name, duration] = [Buffer.from(stream), microseconds(ttl)];
        if (ttl <= 0) await connection.run(`DELETE FROM ${tables.wants} WHERE stream = ? AND node = ?`, [name, me]);
        else
          await connection.run(`REPLACE INTO ${tables.wants} (stream, node, wanted_until) VALUES (?, ?, ${later})`, [
            name,
            me,
            duration,
          ]);
      }),
    hasDemand: (stream) =>
      connections.ask(async (connection) => {
        const rows = await connection.rows(
          `SELECT 1 FROM ${tables.wants} WHERE stream = ? AND wanted_until > ${now} LIMIT 1`,
          [Buffer.from(stream)],
        );
        return rows.length > 0;
      }),
  };
}
