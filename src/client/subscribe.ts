import type { EventMap } from "./events.ts";
import type { SubscribeOptions } from "./options.ts";
import type { StreamUrl } from "./request.ts";
import { StreamSubscription, type Subscription } from "./subscription.ts";

/**
 * Subscribes to a stream of Server-Sent Events and stays connected until it is closed. It connects at once.
 *
 * @param url a URL, relative to the page in a browser, or a function that makes one for each attempt
 */
export function subscribe<Events = EventMap>(url: StreamUrl, options: SubscribeOptions = {}): Subscription<Events> {
  return new StreamSubscription(url, options) as unknown as Subscription<Events>;
}
