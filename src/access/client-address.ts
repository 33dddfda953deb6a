import { BlockList, isIP } from "node:net";
import type { AuthorizeRequest } from "./credentials.ts";

/** Says who a request came from where proxies stand between. */
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
  const trusted = toBlockList(trustProxy);
  const isTrusted = (address: string | undefined): boolean =>
    address !== undefined && trusted.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  const peerOf = ({ address }: AuthorizeRequest): string | undefined => address && normalize(address);
  const isProxied = (request: AuthorizeRequest): boolean => trustProxy.length > 0 && isTrusted(peerOf(request));
  return {
    isProxied,
    addressOf(request) {
      let address = peerOf(request);
      if (!isProxied(request)) return address;
      // From the nearest proxy outwards: what stands left of the first stranger is what the stranger says.
      for (const hop of splitList(request.header("x-forwarded-for")).toReversed()) {
        const next = normalize(hop);
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

function toBlockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

function splitList(header: string | undefined): string[] {
  return header === undefined
    ? []
    : header
        .split(",")
        .map((entry) => entry.trim())
        .filter(Boolean);
}

/** One way of writing for each address, without port and zone; an IPv4 address also where it is written as one of IPv6. */
function normalize(text: string): string | undefined {
  const [, address = text] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text) ?? [];
  const [plain = ""] = address.split("%");
  if (isIP(plain) !== 6) return isIP(plain) === 4 ? plain : undefined;
  const short = new URL(`http://[${plain}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(short) ?? [];
  return high === undefined || low === undefined ? short : [...bytes(high), ...bytes(low)].join(".");
}

function bytes(group: string): [number, number] {
  const value = Number.parseInt(group, 16);
  return [value >> 8, value & 255];
}

function toOrigin(scheme: string, host: string): string | undefined {
  if (!/^https?$/i.test(scheme) || !/^[\w.:[\]-]+$/.test(host)) return undefined;
  const url = `${scheme}://${host}`;
  return URL.canParse(url) ? new URL(url).origin : undefined;
}
