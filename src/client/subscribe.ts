import type { StreamDefinition } from "../events/definition.ts";
import type { EventMap, EventsOf } from "./events.ts";
import { Connection } from "./connection.ts";
import type { SubscribeOptions } from "./options.ts";
import type { StreamUrl } from "./request.ts";
import { StreamSubscription, type Subscription } from "./subscription.ts";

/** Options of a subscription to a stream with a definition, which makes the data of its events. */
export interface TypedSubscribeOptions extends Omit<SubscribeOptions, "parse"> {
  /** Default: `/streams/<name>`, relative to the page. */
  readonly url?: StreamUrl | undefined;
}

/**
 * Subscribes to a stream of Server-Sent Events and stays connected until it is closed. It connects at once.
 *
 * @param stream the stream's definition. Events that do not match it are delivered as `spillway.invalid`.
 */
export function subscribe<Definition extends StreamDefinition>(
  stream: Definition,
  options?: TypedSubscribeOptions,
): Subscription<EventsOf<Definition>>;
/** @param url a URL, relative to the page in a browser, or a function that makes one for each attempt */
export function subscribe<Events = EventMap>(url: StreamUrl, options?: SubscribeOptions): Subscription<Events>;
export function subscribe(source: StreamDefinition | StreamUrl, options: TypedSubscribeOptions = {}): unknown {
  return new StreamSubscription(source, options, Connection);
}
