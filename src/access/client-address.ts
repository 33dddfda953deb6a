import { createNetworkMatcher, normalizeAddress } from "../util/ip-address.ts";
import type { AuthorizeRequest } from "./authorize.ts";

/** Determines the client address of a request that passed through proxies. */
export interface ClientAddress {
  /** The address of the connection or, if that is a trusted proxy, the last one in `X-Forwarded-For` that is not. */
  addressOf(request: AuthorizeRequest): string | undefined;
  /**
   * The gateway's origin as the client's browser sees it, such as `https://app.example`; `undefined` if the request
   * names no host. `secure`: whether the connection itself is encrypted.
   */
  originOf(request: AuthorizeRequest, secure: boolean): string | undefined;
  /** Whether the connection comes from a trusted proxy. */
  isProxied(request: AuthorizeRequest): boolean;
}

/** Makes a {@link ClientAddress} that trusts `X-Forwarded-*` only from these addresses and networks (CIDR). */
export function createClientAddress(trustProxy: readonly string[]): ClientAddress {
  const isTrusted = createNetworkMatcher(trustProxy);
  const peerOf = ({ address }: AuthorizeRequest): string | undefined => address && normalizeAddress(address);
  const isProxied = ({ address }: AuthorizeRequest): boolean => address !== undefined && isTrusted(address);
  return {
    isProxied,
    addressOf(request) {
      let address = peerOf(request);
      if (!isProxied(request)) return address;
      // From the nearest proxy outwards: entries left of the first untrusted address could be forged by it.
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
