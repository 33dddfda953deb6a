"use client";

/** Hooks for React 18 and 19. */
export { SpillwayProvider, type SpillwayProviderProps } from "./provider.ts";
export type { StreamClientOptions, StreamFilter } from "../stream-store/connection.ts";

export type { StreamEvent, StreamSource } from "../stream-store/source.ts";
export type { StreamSnapshot } from "../stream-store/store.ts";
export { useSSE, type SSEOptions, type SSEResult } from "./use-sse.ts";
export { useStream, type StreamOptions } from "./use-stream.ts";
export { useStreamEvent } from "./use-stream-event.ts";
export { useStreamState } from "./use-stream-state.ts";
