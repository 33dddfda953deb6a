import { ownerLength } from "../idempotency.ts";
import type { Connections } from "./connections.ts";
import type { Tables } from "./tables.ts";

/** Of each owner the latest key comes first, then the second of each, and so on: what is behind the first so many is too much. */
const deleteSurplus = ({ idempotencyKeys }: Tables): string => `
  DELETE FROM ${idempotencyKeys} WHERE stream = ? AND digest IN (
    SELECT digest FROM (
      SELECT digest, ROW_NUMBER() OVER (ORDER BY age, first_seq DESC) AS place FROM (
        SELECT digest, first_seq,
          ROW_NUMBER() OVER (PARTITION BY LEFT(digest, ${ownerLength / 2}) ORDER BY first_seq DESC) AS age
        FROM ${idempotencyKeys} WHERE stream = ?) AS ranked
    ) AS placed WHERE place > ?)`;

/** Forgets idempotency keys of the stream `id` until `max` are left; `undefined` for no bound. */
export async function forgetSurplus(
  connections: Connections,
  tables: Tables,
  id: number,
  max: number | undefined,
): Promise<void> {
  if (max === undefined) return;
  await connections.ask(async (connection) => {
    const [row] = await connection.rows(`SELECT COUNT(*) AS count FROM ${tables.idempotencyKeys} WHERE stream = ?`, [
      id,
    ]);
    if (Number(row?.["count"]) > max) await connection.run(deleteSurplus(tables), [id, id, max]);
  });
}
