import { useInsertionEffect, useState, useSyncExternalStore } from "react";
import type { ClientError, ClientEvent, ConnectionState } from "../client/index.ts";
import type { StreamClientOptions } from "../stream-store/connection.ts";
import { createPool } from "../stream-store/pool.ts";
import { defaultPool } from "./provider.ts";
import { createStore, type StoreOptions } from "../stream-store/store.ts";
import { useKeyed } from "./use-keyed.ts";

/** Options of {@link useSSE}. Functions can differ in each render. Connections with options of a request are not shared. */
export interface SSEOptions extends Omit<StreamClientOptions, "url"> {
  /** The types of events to read. Default: all. */
  readonly events?: readonly string[] | undefined;
  /** Called once for each of these events. */
  readonly onMessage?: ((event: ClientEvent) => void) | undefined;
  /** Called for each attempt that failed, and for the error that ends the subscription, which is `fatal`. */
  readonly onError?: ((error: ClientError) => void) | undefined;
  /** The shortest time between two renders, in ms. Default: it renders with the next frame. */
  readonly throttle?: number | undefined;
}

/** What {@link useSSE} returns. */
export interface SSEResult {
  readonly isConnected: boolean;
  /** The last event when the component was rendered. A burst renders once: `onMessage` gets all of them. */
  readonly lastEvent: ClientEvent | undefined;
  readonly state: ConnectionState;
  /** Why the connection has failed; `undefined` while it is open. */
  readonly error: ClientError | undefined;
}

/**
 * Reads any endpoint of Server-Sent Events. Connects when the component is mounted, never on a server. It uses nothing of
 * a provider, whose credentials are not for this URL.
 *
 * @param url relative to the page; `null` connects to nothing
 */
export function useSSE(url: string | null | undefined, options: SSEOptions = {}): SSEResult {
  const { events, onMessage, onError, throttle, ...request } = options;
  const [pool] = useState(() => (Object.keys(request).length > 0 ? createPool(request) : defaultPool));
  const latest: StoreOptions<ClientEvent | undefined> = {
    reduce(last, event) {
      if (events && !events.includes(event.type)) return last;
      onMessage?.(event);
      return event;
    },
    onState: (state) => void ("error" in state && state.error && onError?.(state.error)),
    throttle,
  };
  const key = url ?? "";
  const subject = url ? { url, key } : undefined;
  const store = useKeyed(key, () => createStore(pool, key, subject, undefined, latest));
  useInsertionEffect(() => {
    store.options = latest;
    if (pool !== defaultPool) Object.assign(pool.options, request);
  });
  const { data, state, error } = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
  return { isConnected: state.status === "open", lastEvent: data, state, error };
}
