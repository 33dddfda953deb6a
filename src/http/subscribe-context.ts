import { addressKey } from "../util/ip-address.ts";
import type { LogFilter } from "../log/log.ts";
import type { HttpRequest } from "./message.ts";
import type { Caller, GatewayContext, ServedStream } from "./gateway-context.ts";
import type { SessionParts } from "./sessions.ts";

/** A request for a stream that was admitted. */
export interface SubscribeContext {
  readonly request: HttpRequest;
  readonly gateway: GatewayContext;
  readonly to: ServedStream;
  /** The requested filter, narrowed to what is granted. */
  readonly filter: LogFilter | undefined;
  /** Aborts when the client has gone. Made when it is first asked for. */
  readonly signal: () => AbortSignal;
  readonly search: Search;
  readonly parts: SessionParts;
}

/** Runs something that walks through a log, in its turn; the signal aborts when the client has gone. */
export type Search = <T>(walk: (signal: AbortSignal) => Promise<T>) => Promise<T>;

/** Makes the searches of one client: all clients share a few places, and one address has half of them at most. */
export function createSearch(
  signal: () => AbortSignal,
  { address }: Pick<Caller, "address">,
  { searches }: Pick<GatewayContext, "searches">,
): Search {
  return async (walk) => {
    const leave = await searches.enter(signal, address === undefined ? undefined : addressKey(address));
    try {
      return await walk(signal());
    } finally {
      leave();
    }
  };
}
