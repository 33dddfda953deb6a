import type { DriverRemoval } from "../engine/driver.ts";
import type { LogHead } from "../log.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { optionalText } from "./streams.ts";
import type { Tables } from "./tables.ts";

/** Makes the removal of logs. */
export function createRemoval(connections: Connections, tables: Tables): DriverRemoval {
  return {
    list: (prefix) => connections.lend((connection) => namesOf(connection, tables, Buffer.from(prefix))),
    has: (stream) => connections.lend(async (connection) => (await idOf(connection, tables, stream)) !== undefined),
    remove: (stream, unchanged) =>
      connections.lend((connection) => removeStream(connection, tables, stream, unchanged)),
  };
}

async function namesOf(connection: Connection, { streams }: Tables, prefix: Buffer): Promise<string[]> {
  const rows = await connection.rows(`SELECT name FROM ${streams} WHERE name >= ? AND LEFT(name, ?) = ?`, [
    prefix,
    prefix.length,
    prefix,
  ]);
  return rows.map(({ name }) => optionalText(name)!);
}

async function idOf(connection: Connection, { streams }: Tables, stream: string): Promise<number | undefined> {
  const [row] = await connection.rows(`SELECT id FROM ${streams} WHERE name = ?`, [Buffer.from(stream)]);
  return row && Number(row["id"]);
}

/** The stream's row comes first: nothing is appended without it. */
async function removeStream(
  connection: Connection,
  tables: Tables,
  stream: string,
  unchanged: LogHead | undefined,
): Promise<boolean> {
  const id = await idOf(connection, tables, stream);
  if (id === undefined) return true;
  const condition = unchanged ? " AND epoch = ? AND head = ?" : "";
  const values = unchanged ? [id, unchanged.epoch, unchanged.head] : [id];
  await connection.run("START TRANSACTION");
  try {
    const removed = await connection.run(`DELETE FROM ${tables.streams} WHERE id = ?${condition}`, values);
    if (removed === 0) {
      await connection.run("ROLLBACK");
      return (await idOf(connection, tables, stream)) !== id;
    }
    for (const table of [tables.events, tables.idempotencyKeys, tables.writers])
      await connection.run(`DELETE FROM ${table} WHERE stream = ?`, [id]);
    await connection.run(`DELETE FROM ${tables.wants} WHERE stream = ?`, [Buffer.from(stream)]);
    await connection.run("COMMIT");
    return true;
  } catch (error) {
    // The server rolls back with the session.
    connection.destroy();
    throw error;
  }
}
