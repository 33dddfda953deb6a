import { addressKey } from "../util/ip-address.ts";
import type { LogFilter } from "../log/log.ts";
import type { HttpRequest } from "./message.ts";
import type { Caller, GatewayContext, ServedStream } from "./gateway-context.ts";
import type { SessionParts } from "./sessions.ts";

/** An admitted request for a stream. */
export interface SubscribeContext {
  readonly request: HttpRequest;
  readonly gateway: GatewayContext;
  readonly to: ServedStream;
  /** The requested filter, narrowed to the grant. */
  readonly filter: LogFilter | undefined;
  /** Returns the signal that aborts when the client disconnects. Created at the first call. */
  readonly signal: () => AbortSignal;
  readonly search: Search;
  readonly parts: SessionParts;
}

/** Runs a scan of a log when there is a free place. The signal aborts when the client disconnects. */
export type Search = <T>(scan: (signal: AbortSignal) => Promise<T>) => Promise<T>;

/** Creates the searches of a client. All clients share a few places, of which one address gets at most half. */
export function createSearch(
  signal: () => AbortSignal,
  { address }: Pick<Caller, "address">,
  { searches }: Pick<GatewayContext, "searches">,
): Search {
  return async (scan) => {
    const leave = await searches.enter(signal, address === undefined ? undefined : addressKey(address));
    try {
      return await scan(signal());
    } finally {
      leave();
    }
  };
}
