import type { StreamDefinition } from "../events/definition.ts";
import { Connection } from "./connection.ts";
import type { EventMap, EventsOf } from "./events.ts";
import type { SubscribeOptions } from "./options.ts";
import { SharedConnection } from "./shared-connection.ts";
import { StreamSubscription, type Subscription } from "./subscription.ts";

/**
 * Options of {@link subscribeShared}. `start` applies to the first tab: one that joins gets what follows. With a `cursor`, a tab that
 * joins gets what it has missed since its position, if the leader's last 1,000 events contain it; otherwise a gap.
 */
export interface SharedOptions extends Omit<SubscribeOptions, "method" | "body"> {
  /**
   * Who the user is, such as a user id. Tabs share a connection only if it is the same. Required with `token` or `headers`, because
   * tabs must not show one user what another one may see.
   */
  readonly identity?: string | undefined;
}

/** Options of {@link subscribeShared} for a stream with a definition, which makes the data of its events. */
export interface TypedSharedOptions extends Omit<SharedOptions, "parse"> {
  /** Default: `/streams/<name>`, relative to the page. */
  readonly url?: string | URL | undefined;
}

/**
 * Subscribes like `subscribe`, over one connection for all tabs of the browser with the same URL, filter and identity.
 * Without Web Locks (a page without a secure context, Node), each has a connection of its own.
 *
 * @param stream the stream's definition. Events that do not match it are delivered as `spillway.invalid`.
 * @throws {TypeError} if there is a `token` or `headers`, but no `identity`
 */
export function subscribeShared<Definition extends StreamDefinition>(
  stream: Definition,
  options?: TypedSharedOptions,
): Subscription<EventsOf<Definition>>;
/** @param url a URL, relative to the page in a browser */
export function subscribeShared<Events = EventMap>(url: string | URL, options?: SharedOptions): Subscription<Events>;
export function subscribeShared(source: StreamDefinition | string | URL, options: TypedSharedOptions = {}): unknown {
  const { identity, token, headers } = options;
  if (identity === undefined && (token ?? headers) !== undefined) {
    throw new TypeError("token and headers need an identity");
  }
  // Whatever has Web Locks has BroadcastChannel.
  const { locks } = (globalThis.navigator ?? {}) as { readonly locks?: LockManager };
  return new StreamSubscription(source, options, locks ? SharedConnection : Connection);
}
