/** A client for event streams, for browsers, workers, Node, Bun and Deno. */
export { localCursor, sessionCursor } from "./cursors.ts";
export { ClientError, type ClientErrorCode, type ClientErrorDetails } from "./error.ts";
export { EventSource, type EventSourceError, type EventSourceInit } from "./event-source.ts";
export type { ClientEvent, EventMap, EventOf, EventsOf, Gap, GapEvents } from "./events.ts";
export type { AttemptContext, CursorStore, PerAttempt, StartPosition, SubscribeOptions } from "./options.ts";
export { publish, type PublishedEvent, type PublishOptions } from "./publish.ts";
export type { StreamUrl } from "./request.ts";
export type { ConnectionState, UpstreamState } from "./state.ts";
export { subscribe, type TypedSubscribeOptions } from "./subscribe.ts";
export { subscribeShared, type SharedOptions, type TypedSharedOptions } from "./subscribe-shared.ts";
export type { Subscription } from "./subscription.ts";
export { ticketUrl, type TicketOptions } from "./tickets.ts";
