import { Connection } from "./connection.ts";
import type { EventMap } from "./events.ts";
import type { SubscribeOptions } from "./options.ts";
import { SharedConnection } from "./shared-connection.ts";
import { StreamSubscription, type ConnectionClass, type Subscription } from "./subscription.ts";

/** Options of {@link subscribeShared}. A tab that joins gets what follows, so there is no start position. */
export interface SharedOptions extends Omit<SubscribeOptions, "start" | "cursor" | "hidden" | "method" | "body"> {
  /**
   * Who the user is, such as a user id. Tabs share a connection only if it is the same. Required with `token` or `headers`, because
   * tabs must not show one user what another one may see.
   */
  readonly identity?: string | undefined;
}

/**
 * Subscribes like `subscribe`, over one connection for all tabs of the browser with the same URL, filter and identity.
 * Without Web Locks (a page without a secure context, Node), each has a connection of its own.
 *
 * @throws {TypeError} if there is a `token` or `headers`, but no `identity`
 */
export function subscribeShared<Events = EventMap>(
  url: string | URL,
  { identity, ...options }: SharedOptions = {},
): Subscription<Events> {
  if (identity === undefined && (options.token !== undefined || options.headers !== undefined)) {
    throw new TypeError("a shared subscription with a token or headers needs an identity");
  }
  const { href } = new URL(url, globalThis.location?.href);
  const { channels, events, filter } = options;
  const name = `spillway ${JSON.stringify([href, channels, events, filter, identity])}`;
  const shares = globalThis.navigator?.locks !== undefined && globalThis.BroadcastChannel !== undefined;
  const Shared = SharedConnection.bind(undefined, name) as unknown as ConnectionClass;
  return new StreamSubscription(href, options, shares ? Shared : Connection) as unknown as Subscription<Events>;
}
