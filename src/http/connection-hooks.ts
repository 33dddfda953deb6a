import type { CloseReason } from "../hub/subscriber.ts";
import type { FilterPatterns, LogFilter } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";

/** A subscription that is open: a streaming response to one client. */
export interface ClientConnection {
  /** The random name of the connection, which its client gets in `connected`. */
  readonly client: string;
  readonly stream: string;
  /** Names and patterns of the channels and types that it gets; absent for everything. */
  readonly filter: FilterPatterns | undefined;
  /** `anonymous`, `key:<name>`, `jwt:<sub>`, or what `authorize` said. */
  readonly subject: string;
  /** The client's address; absent where it is not known. */
  readonly address: string | undefined;
}

/** A subscription that is over. */
export interface EndedConnection extends ClientConnection {
  readonly reason: CloseReason;
  /** How long it was open, in ms. */
  readonly duration: number;
  /** Events and bytes that were written to it. */
  readonly events: number;
  readonly bytes: number;
}

/**
 * What the program around a gateway does as clients come and go. A hook is called once for each, cannot refuse (that is for
 * `access.authorize`), and is not waited for; what it throws is logged.
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

/** The names and patterns of a filter, wherever they stand. */
export function patternsOf(filter: LogFilter | undefined): FilterPatterns | undefined {
  if (!filter) return undefined;
  const { channels, events, within } = filter;
  return {
    channels: channels ?? within?.channels,
    events: events ?? within?.events,
    broadcast: within?.broadcast === true,
  };
}
