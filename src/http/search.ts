import { addressKey } from "../util/ip-address.ts";
import type { Caller, GatewayContext } from "./gateway-context.ts";

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
