import { createNetworkMatcher, normalizeAddress } from "../util/ip-address.ts";
import type { AuthorizeRequest } from "./authorize.ts";

/** Determines the client address of a request that passed through proxies. */
export interface ClientAddress {
  /** The client's address: that of the connection, or if it is a trusted proxy's, the last in `X-Forwarded-For` that is not. */
  addressOf(request: AuthorizeRequest): string | undefined;
  /**
   * Scheme, host and port as the client's browser knows the gateway by them, such as `https://app.example`; `undefined` where the
   * request names no host. `secure`: whether the connection itself is encrypted.
   */
  originOf(request: AuthorizeRequest, secure: boolean): string | undefined;
  /** Whether the connection comes from a proxy that is trusted. */
  isProxied(request: AuthorizeRequest): boolean;
}

/** Makes the reader of `X-Forwarded-*`, which are believed of connections from these addresses and networks (CIDR) alone. */
export function createClientAddress(trustProxy: readonly string[]): ClientAddress {
  const isTrusted = createNetworkMatcher(trustProxy);
  const peerOf = ({ address }: AuthorizeRequest): string | undefined => address && normalizeAddress(address);
  const isProxied = ({ address }: AuthorizeRequest): boolean => address !== undefined && isTrusted(address);
  return {
    isProxied,
    addressOf(request) {
      let address = peerOf(request);
      if (!isProxied(request)) return address;
      // From the nearest proxy outwards: what stands left of the first stranger is what the stranger says.
      for (const hop of splitList(request.header("x-forwarded-for")).toReversed()) {
        const next = normalizeAddress(hop);
        if (next === undefined) break;
        address = next;
        if (!isTrusted(address)) break;
      }
      return address;
    },
    originOf(request, secure) {
      const forwarded = isProxied(request);
      const said = (name: string): string | undefined => (forwarded ? splitList(request.header(name))[0] : undefined);
      const scheme = said("x-forwarded-proto") ?? (secure ? "https" : "http");
      const host = said("x-forwarded-host") ?? request.header("host");
      return host === undefined ? undefined : toOrigin(scheme, host);
    },
  };
}

function splitList(header: string | undefined): string[] {
  return header === undefined
    ? []
    : header
        .split(",")
        .map((entry) => entry.trim())
        .filter(Boolean);
}

function toOrigin(scheme: string, host: string): string | undefined {
  if (!/^https?$/i.test(scheme) || !/^[\w.:[\]-]+$/.test(host)) return undefined;
  const url = `${scheme}://${host}`;
  return URL.canParse(url) ? new URL(url).origin : undefined;
}
