import type { CorsOptions } from "../access/options.ts";
import type { HttpBody, HttpHeaders } from "./message.ts";

/** What pages of other origins may do (WHATWG Fetch §3.3). */
export interface Cors {
  /** The headers that let the page of this origin read an answer; nothing for an origin that is not allowed. */
  headers(origin: string | undefined): HttpHeaders;
  /** The answer to OPTIONS, which asks whether a request may be made, or which methods there are; but for {@link headers}. */
  preflight(origin: string | undefined, allow: string): HttpBody;
}

const requestHeaders = "Authorization, X-API-Key, Content-Type, Idempotency-Key, Last-Event-ID, Cache-Control";
const exposed = "Spillway-Resume, Retry-After, Idempotency-Replayed";

/** Makes it of the allow-list: an origin is named back only if it is on it. */
export function createCors({ origins, credentials, maxAge }: CorsOptions): Cors {
  if (origins.length === 0) return { headers: () => ({}), preflight: (_, allow) => plain(allow) };
  const everyone = origins.includes("*");
  const known: ReadonlySet<string> = new Set(origins);
  // Caches must know that the answer depends on the origin, also where it is refused.
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
