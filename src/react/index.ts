"use client";

/** Hooks for React 18 and 19. */
export { SpillwayProvider, type SpillwayProviderProps } from "./provider.ts";
export type { StreamFilter } from "./connection.ts";
export type { ReactClientOptions } from "./pool.ts";
export type { StreamEvent, StreamSource } from "./source.ts";
export type { StreamSnapshot } from "./store.ts";
export { useSSE, type SSEOptions, type SSEResult } from "./use-sse.ts";
export { useStream, type StreamOptions } from "./use-stream.ts";
export { useStreamEvent } from "./use-stream-event.ts";
export { useStreamState } from "./use-stream-state.ts";
