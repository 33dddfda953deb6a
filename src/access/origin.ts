import { SpillwayError } from "../errors.ts";
import { matchesGlob } from "../util/glob.ts";
import { mediaType } from "../util/media-type.ts";
import { createNetworkMatcher, isLoopback, normalizeAddress } from "../util/ip-address.ts";
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

/** The media types of bodies that pages of any origin can send without asking first (WHATWG Fetch §2.2.2). */
const simpleTypes: ReadonlySet<string> = new Set([
  "",
  "application/x-www-form-urlencoded",
  "multipart/form-data",
  "text/plain",
]);

/**
 * Whether a page of any origin could have made a browser send this request with the user's cookies, without a preflight
 * request. For programs that identify users by cookies.
 */
export function isForgeable(request: AuthorizeRequest): boolean {
  if (request.method !== "POST" || !simpleTypes.has(mediaType(request.header("content-type")))) return false;
  return request.header("cookie") !== undefined || request.header("origin") !== undefined;
}

/** Refuses requests whose cookie a browser may have sent for a page of a foreign origin. */
export type OriginCheck = (request: AuthorizeRequest) => void;

/**
 * Makes the check for cookies, which browsers send with the requests of any page. `Origin` must be an allowed origin or
 * the gateway's own. Without it, `Sec-Fetch-Site` must be `same-origin` or `none`. Without both, only GET and HEAD are
 * allowed, because older browsers send neither header with them. The check throws `origin-denied`.
 */
export function createOriginCheck(
  origins: readonly string[],
  originOf: (request: AuthorizeRequest) => string | undefined,
  message: string = "cookies are accepted only from the gateway's own origin and those in access.cors.origins",
): OriginCheck {
  const isAllowed = (request: AuthorizeRequest): boolean => {
    const origin = request.header("origin");
    if (origin !== undefined) return origins.includes(origin) || origin === originOf(request);
    const site = request.header("sec-fetch-site");
    if (site !== undefined) return site === "same-origin" || site === "none";
    return request.method === "GET" || request.method === "HEAD";
  };
  return (request) => {
    if (isAllowed(request)) return;
    const got = request.header("origin")?.slice(0, 100);
    throw new SpillwayError("origin-denied", message, { field: "Origin", got });
  };
}

/**
 * Refuses requests for a host that is not the gateway's, and changes requested by pages of such hosts.
 *
 * A page on the internet can make its own host name resolve to 127.0.0.1 (DNS rebinding), so that the browser takes the
 * gateway for that page's origin. The `Host` header reveals this. Throws `host-denied`, `origin-denied`.
 */
export type HostCheck = (request: AuthorizeRequest) => void;

export interface HostCheckOptions {
  /** Names allowed in addition to loopback names; `*` matches any characters. */
  readonly hosts: readonly string[];
  /** Origins whose pages may use the gateway, or `*`. */
  readonly origins: readonly string[];
  /** Whether the request came through a trusted proxy. Such requests are not checked. */
  readonly isProxied: (request: AuthorizeRequest) => boolean;
}

const reading: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Makes a {@link HostCheck}. */
export function createHostCheck({ hosts, origins, isProxied }: HostCheckOptions): HostCheck {
  const isKnown = (name: string): boolean =>
    isLoopback(name) || name.endsWith(".localhost") || hosts.some((host) => matchesGlob(host.toLowerCase(), name));
  const isAllowed = (origin: string): boolean =>
    origins.includes("*") ||
    origins.includes(origin) ||
    (URL.canParse(origin) && isKnown(nameOf(new URL(origin).host)));
  return (request) => {
    if (isProxied(request)) return;
    const host = request.header("host");
    // Only HTTP/1.0 clients send no `Host` header. Browsers always send one.
    if (host !== undefined && !isKnown(nameOf(host))) {
      throw new SpillwayError("host-denied", "the gateway does not serve that host: add it to hosts", {
        field: "Host",
        expected: "localhost, or a name in hosts",
        got: host.slice(0, 100),
      });
    }
    const origin = request.header("origin");
    if (origin === undefined || reading.has(request.method) || isAllowed(origin)) return;
    throw new SpillwayError(
      "origin-denied",
      "pages of that origin may only read: add it to access.cors.origins, or its host to hosts",
      { field: "Origin", got: origin.slice(0, 100) },
    );
  };
}

/** The host in lower case, without port, brackets and trailing dot. */
function nameOf(host: string): string {
  const [, name = ""] = /^\[([^\]]*)\](?::\d*)?$/.exec(host) ?? /^([^:]*?)\.?(?::\d*)?$/.exec(host) ?? [];
  return name.toLowerCase();
}
