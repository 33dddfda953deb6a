import type { DriverRemoval } from "../engine/driver.ts";
import type { Connections, RunStatement } from "./connections.ts";
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

  async function isThere(inTransaction: RunStatement, id: number): Promise<boolean> {
    return (await inTransaction({ text: `SELECT FROM ${streams} WHERE id = $1`, values: [id] })).length > 0;
  }

  return {
    async list(prefix) {
      const text = `SELECT name FROM ${streams} WHERE name >= $1 AND left(name, length($1)) = $1`;
      const rows = await run({ text, values: [encodeText(prefix)] });
      return rows.map(({ name }) => decodeText(String(name)));
    },
    has: async (stream) => (await idOf(stream)) !== undefined,
    async remove(stream, unchanged) {
      const id = await idOf(stream);
      if (id === undefined) return true;
      return transact(async (inTransaction) => {
        // The row comes first: nothing is appended without it.
        const condition = unchanged ? " AND epoch = $2 AND head = $3" : "";
        const values = unchanged ? [id, unchanged.epoch, unchanged.head] : [id];
        const text = `DELETE FROM ${streams} WHERE id = $1${condition} RETURNING id`;
        if ((await inTransaction({ text, values })).length === 0) return !(await isThere(inTransaction, id));
        for (const part of parts)
          await inTransaction({ text: `DELETE FROM ${table(part)} WHERE stream = $1`, values: [id] });
        return true;
      });
    },
  };
}
