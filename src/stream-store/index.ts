/** Streams as stores of `subscribe` and `getSnapshot`, for any framework of user interfaces. */
export { createStreamClient, type StreamClient, type StreamStoreOptions } from "./client.ts";
export type { StreamClientOptions, StreamFilter } from "./connection.ts";
export type { StreamEvent, StreamSource } from "./source.ts";
export type { StreamSnapshot, StreamStore } from "./store.ts";
