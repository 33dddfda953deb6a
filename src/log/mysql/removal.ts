import type { DriverRemoval } from "../engine/driver.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { optionalText } from "./streams.ts";
import type { Tables } from "./tables.ts";

/** Makes the removal of logs. */
export function createRemoval(connections: Connections, tables: Tables): DriverRemoval {
  return {
    list: (prefix) => connections.lend((connection) => namesOf(connection, tables, Buffer.from(prefix))),
    has: (stream) => connections.lend(async (connection) => (await idOf(connection, tables, stream)) !== undefined),
    remove: (stream) => connections.lend((connection) => removeStream(connection, tables, stream)),
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
async function removeStream(connection: Connection, tables: Tables, stream: string): Promise<void> {
  const id = await idOf(connection, tables, stream);
  if (id === undefined) return;
  await connection.run("START TRANSACTION");
  try {
    await connection.run(`DELETE FROM ${tables.streams} WHERE id = ?`, [id]);
    for (const table of [tables.events, tables.idempotencyKeys, tables.writers])
      await connection.run(`DELETE FROM ${table} WHERE stream = ?`, [id]);
    await connection.run(`DELETE FROM ${tables.wants} WHERE stream = ?`, [Buffer.from(stream)]);
    await connection.run("COMMIT");
  } catch (error) {
    // The server rolls back with the session.
    connection.destroy();
    throw error;
  }
}
