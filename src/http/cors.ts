import type { CorsOptions } from "../access/options.ts";
import type { HttpBody, HttpHeaders } from "./message.ts";

/** Cross-origin access for pages of other origins (WHATWG Fetch §3.3). */
export interface Cors {
  /**
   * The headers that allow a page of this origin to read a response; no such headers for an origin that is not allowed.
   */
  headers(origin: string | undefined): HttpHeaders;
  /** The response to OPTIONS, for preflight requests and for others, without {@link headers}. */
  preflight(origin: string | undefined, allow: string): HttpBody;
}

const requestHeaders = "Authorization, X-API-Key, Content-Type, Idempotency-Key, Last-Event-ID, Cache-Control";
const exposed = "Spillway-Resume, Retry-After, Idempotency-Replayed";

/** Creates the CORS rules from the configured allow-list. Only an origin on the list is returned in a header. */
export function createCors({ origins, credentials, maxAge }: CorsOptions): Cors {
  if (origins.length === 0) return { headers: () => ({}), preflight: (_, allow) => plain(allow) };
  const everyone = origins.includes("*");
  const known: ReadonlySet<string> = new Set(origins);
  // The response depends on the origin even if the origin is refused, so caches always need `Vary`.
  const vary: HttpHeaders = everyone ? {} : { Vary: "Origin" };
  const sharing: HttpHeaders = {
    ...vary,
    "Access-Control-Expose-Headers": exposed,
    ...(credentials ? { "Access-Control-Allow-Credentials": "true" } : {}),
  };
  const allowed = (origin: string | undefined): string | undefined =>
    origin !== undefined && (everyone || known.has(origin)) ? (everyone ? "*" : origin) : undefined;

  return {
    headers(origin) {
      const name = allowed(origin);
      return name === undefined ? vary : { ...sharing, "Access-Control-Allow-Origin": name };
    },
    preflight(origin, allow) {
      if (allowed(origin) === undefined) return plain(allow);
      return plain(allow, {
        "Access-Control-Allow-Methods": allow,
        "Access-Control-Allow-Headers": requestHeaders,
        "Access-Control-Max-Age": String(Math.round(maxAge / 1000)),
      });
    },
  };
}

function plain(allow: string, headers: HttpHeaders = {}): HttpBody {
  return { status: 204, headers: { Allow: allow, ...headers } };
}
