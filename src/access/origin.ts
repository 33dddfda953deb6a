import { SpillwayError } from "../errors.ts";
import { matchesGlob } from "../util/glob.ts";
import { isLoopback } from "../util/ip-address.ts";
import type { AuthorizeRequest } from "./authorize.ts";

/** Refuses requests whose cookie may have been sent by a page that has no business here. */
export type OriginCheck = (request: AuthorizeRequest) => void;

/**
 * Makes the check for cookies, which browsers send along whoever asks them to. A request must come from an allowed origin or from the
 * gateway's own; without an `Origin` header the browser must call it one of the same origin; of what says nothing at all only reading
 * is let through, as browsers of old did not say more for it. The check throws `origin-denied`.
 */
export function createOriginCheck(
  origins: readonly string[],
  originOf: (request: AuthorizeRequest) => string | undefined,
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
    throw new SpillwayError(
      "origin-denied",
      "a cookie counts only from the gateway's own origin and those of access.cors.origins",
      {
        field: "Origin",
        got: request.header("origin")?.slice(0, 100),
      },
    );
  };
}

/**
 * Refuses requests that name a host which is none of the gateway's, and changes that are asked for by pages of such hosts.
 *
 * A page on the internet can have its own name lead to 127.0.0.1 (DNS rebinding): to the browser the gateway is then of that page's
 * origin. The name in `Host` gives it away. Throws `host-denied`, `origin-denied`.
 */
export type HostCheck = (request: AuthorizeRequest) => void;

export interface HostCheckOptions {
  /** Names allowed in addition to loopback names; `*` matches any characters. */
  readonly hosts: readonly string[];
  /** Origins whose pages may use the gateway, or `*`. */
  readonly origins: readonly string[];
  /** Whether a proxy that is trusted has looked at the request. */
  readonly isProxied: (request: AuthorizeRequest) => boolean;
}

const reading: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Makes the check. */
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
    // Only clients of HTTP/1.0 send none, and browsers are not among them.
    if (host !== undefined && !isKnown(nameOf(host))) {
      throw new SpillwayError("host-denied", "this gateway is not known by that host name: add it to hosts", {
        field: "Host",
        expected: "localhost, or a name in hosts",
        got: host.slice(0, 100),
      });
    }
    const origin = request.header("origin");
    if (origin === undefined || reading.has(request.method) || isAllowed(origin)) return;
    throw new SpillwayError(
      "origin-denied",
      "a page of that origin may change nothing here: add it to access.cors.origins, or its host to hosts",
      { field: "Origin", got: origin.slice(0, 100) },
    );
  };
}

/** Without port, brackets and a dot at the end, in lower case. */
function nameOf(host: string): string {
  const [, name = ""] = /^\[([^\]]*)\](?::\d*)?$/.exec(host) ?? /^([^:]*?)\.?(?::\d*)?$/.exec(host) ?? [];
  return name.toLowerCase();
}
