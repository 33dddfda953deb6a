export { describeLogStore, type LogStoreHarness, type LogStorePlace, type TestRunner } from "./describe-log-store.ts";
