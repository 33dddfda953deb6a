export { createMysqlStore, type MysqlStoreOptions } from "./mysql-store.ts";
