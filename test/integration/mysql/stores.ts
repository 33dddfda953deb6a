import type { LogStore } from "../../../src/log/log.ts";
import { createMysqlStore, type MysqlStoreOptions } from "../../../src/log/mysql/index.ts";
import { closedAfterTest } from "../../support/store-nodes.ts";

/** Opens a store that is closed after the test. */
export function openStore(url: string, options: Partial<MysqlStoreOptions> = {}): Promise<LogStore> {
  return closedAfterTest(createMysqlStore({ url, node: "a", ...options }));
}
