export { createNatsStore, type NatsStoreOptions } from "./nats-store.ts";
