import type { DriverRemoval } from "../engine/driver.ts";
import type { Connections } from "./connections.ts";
import { decodeText, encodeText } from "./text.ts";

/** What belongs to a stream's row. */
const parts = ["events", "idempotency_keys", "writers", "wants"];

/** Makes the removal of logs in a schema. */
export function createRemoval({ run, transact }: Connections, schema: string): DriverRemoval {
  const table = (name: string): string => `"${schema}".${name}`;
  const streams = table("streams");

  async function idOf(stream: string): Promise<number | undefined> {
    const [row] = await run({ text: `SELECT id FROM ${streams} WHERE name = $1`, values: [encodeText(stream)] });
    return row && Number(row.id);
  }

  return {
    async list(prefix) {
      const text = `SELECT name FROM ${streams} WHERE name >= $1 AND left(name, length($1)) = $1`;
      const rows = await run({ text, values: [encodeText(prefix)] });
      return rows.map(({ name }) => decodeText(String(name)));
    },
    has: async (stream) => (await idOf(stream)) !== undefined,
    async remove(stream) {
      const id = await idOf(stream);
      if (id === undefined) return;
      await transact(async (inTransaction) => {
        // The row comes first: nothing is appended without it.
        await inTransaction({ text: `DELETE FROM ${streams} WHERE id = $1`, values: [id] });
        for (const part of parts)
          await inTransaction({ text: `DELETE FROM ${table(part)} WHERE stream = $1`, values: [id] });
      });
    },
  };
}
