import { onTestFinished } from "vitest";
import type { LogStore } from "../../../src/log/log.ts";
import { createPostgresStore, type PostgresStoreOptions } from "../../../src/log/postgres/index.ts";

/** Opens a store that is closed after the test. */
export async function openStore(url: string, options: Partial<PostgresStoreOptions> = {}): Promise<LogStore> {
  const store = await createPostgresStore({ url, node: "a", ...options });
  onTestFinished(() => store.close());
  return store;
}
