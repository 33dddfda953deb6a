export { openSqliteReaders } from "./sqlite-readers.ts";
export { createSqliteStore, type SqliteStoreOptions } from "./sqlite-store.ts";
