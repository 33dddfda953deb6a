import type { LogStore } from "../../../src/log/log.ts";
import { createPostgresStore, type PostgresStoreOptions } from "../../../src/log/postgres/index.ts";
import { closedAfterTest } from "../../support/store-nodes.ts";

/** Opens a store that is closed after the test. */
export function openStore(url: string, options: Partial<PostgresStoreOptions> = {}): Promise<LogStore> {
  return closedAfterTest(createPostgresStore({ url, node: "a", ...options }));
}
