import type { CloseReason } from "../hub/subscriber.ts";
import type { FilterPatterns, LogFilter } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";

/** An open subscription: a streaming response to one client. */
export interface ClientConnection {
  /** The random id of the connection, which the client receives in the event `connected`. */
  readonly client: string;
  readonly stream: string;
  /** The names and patterns of the channels and types that the client receives; absent for everything. */
  readonly filter: FilterPatterns | undefined;
  /** `anonymous`, `key:<name>`, `jwt:<sub>`, or the subject returned by `authorize`. */
  readonly subject: string;
  /** The client's address; absent if it is unknown. */
  readonly address: string | undefined;
}

/** An ended subscription. */
export interface EndedConnection extends ClientConnection {
  readonly reason: CloseReason;
  /** How long it was open, in ms. */
  readonly duration: number;
  /** The number of events and bytes that were written to the client. */
  readonly events: number;
  readonly bytes: number;
}

/**
 * Callbacks for connecting and disconnecting clients. A hook is called once for each client and is not awaited. It
 * cannot refuse a client (use `access.authorize` for this), and its errors are only logged.
 */
export interface ConnectionHooks {
  onConnect?(connection: ClientConnection): void | Promise<void>;
  onDisconnect?(connection: EndedConnection): void | Promise<void>;
}

/** Calls a hook; an error in it is logged and has no other effect. */
export function callHook<Facts extends ClientConnection>(
  hook: ((facts: Facts) => void | Promise<void>) | undefined,
  facts: Facts,
  logger: Logger,
): void {
  if (!hook) return;
  (async () => hook(facts))().catch((error: unknown) => logger.error({ err: error }, "a connection hook failed"));
}

/** The names and patterns of a filter, from both the filter itself and `within`. */
export function patternsOf(filter: LogFilter | undefined): FilterPatterns | undefined {
  if (!filter) return undefined;
  const { channels, events, within } = filter;
  return {
    channels: channels ?? within?.channels,
    events: events ?? within?.events,
    broadcast: within?.broadcast === true,
  };
}
