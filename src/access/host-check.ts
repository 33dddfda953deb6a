import { SpillwayError } from "../errors.ts";
import { matchesGlob } from "../util/glob.ts";
import { isLoopback } from "../util/ip-address.ts";
import type { AuthorizeRequest } from "./credentials.ts";

/**
 * Refuses requests that name a host which is none of the gateway's, and changes that are asked for by pages of such hosts.
 *
 * A page on the internet can have its own name lead to 127.0.0.1 (DNS rebinding): to the browser the gateway is then of that page's
 * origin. The name in `Host` gives it away. Throws `host-denied`, `origin-denied`.
 */
export type HostCheck = (request: AuthorizeRequest) => void;

export interface HostCheckOptions {
  /** Names beside those of loopback; `*` stands for any characters. */
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
