export { describeLogStore, type LogStoreHarness, type TestRunner } from "./describe-log-store.ts";
export type { LogStorePlace } from "./stage.ts";
