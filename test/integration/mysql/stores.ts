import { onTestFinished } from "vitest";
import type { LogStore } from "../../../src/log/log.ts";
import { createMysqlStore, type MysqlStoreOptions } from "../../../src/log/mysql/index.ts";
import type { Logger } from "../../../src/util/logger.ts";

/** A logger that keeps what it is told. */
export interface LogLines extends Logger {
  readonly lines: { readonly level: string; readonly message: string }[];
}

export function createLogLines(): LogLines {
  const lines: { readonly level: string; readonly message: string }[] = [];
  const at =
    (level: string) =>
    (_: object, message: string): void =>
      void lines.push({ level, message });
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Opens a store that is closed after the test. */
export async function openStore(url: string, options: Partial<MysqlStoreOptions> = {}): Promise<LogStore> {
  const store = await createMysqlStore({ url, node: "a", ...options });
  onTestFinished(() => store.close());
  return store;
}
