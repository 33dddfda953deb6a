import { SpillwayError } from "../errors.ts";
import { readCookie } from "./cookie.ts";
import { isKey } from "./keys.ts";

/** What a request shows of its sender. */
export interface Credentials {
  /** Upper case. */
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** A header by its lower-case name. */
  header(name: string): string | undefined;
  /** The address of the other end of the connection; absent where it is not known. */
  readonly address?: string | undefined;
  /** Whether the connection is encrypted. Default: it is not. */
  readonly secure?: boolean | undefined;
}

/** The credential that counts of those a request shows; not yet checked. */
export type Shown =
  | { readonly kind: "none" }
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "token"; readonly token: string; readonly by: "header" | "cookie" }
  | { readonly kind: "ticket"; readonly ticket: string }
  /** Something that is for others to know: another scheme of `Authorization`, or an `X-API-Key` that is none of ours. */
  | { readonly kind: "foreign" };

export interface CredentialReading {
  /** The cookie that may hold a token; absent where none does. */
  readonly cookie: string | undefined;
  /** Whether what is none of ours is somebody else's business, as if it was not there: nothing is taken here but tickets. */
  readonly ignoreForeign: boolean;
}

/** Finds the first of: `Authorization`, `X-API-Key`, `?ticket=`, the cookie. What comes first counts alone, be it right or wrong. */
export function readCredential(request: Credentials, { cookie, ignoreForeign }: CredentialReading): Shown {
  const shown = ofHeaders(request);
  if (shown && !(ignoreForeign && shown.kind !== "key")) return shown;
  const ticket = request.query.get("ticket");
  if (ticket !== null) return { kind: "ticket", ticket };
  const token = cookie === undefined ? undefined : readCookie(request.header("cookie"), cookie);
  return token === undefined ? { kind: "none" } : { kind: "token", token, by: "cookie" };
}

function ofHeaders(request: Credentials): Shown | undefined {
  const authorization = request.header("authorization");
  if (authorization !== undefined) {
    const [bearer, text = ""] = /^Bearer(?: +(.*))?$/is.exec(authorization) ?? [];
    if (bearer === undefined) return { kind: "foreign" };
    return isKey(text) ? { kind: "key", key: text } : { kind: "token", token: text, by: "header" };
  }
  const key = request.header("x-api-key");
  if (key === undefined) return undefined;
  return isKey(key) ? { kind: "key", key } : { kind: "foreign" };
}

/** Parameters by which other services take keys: who sends one here has put a secret where proxies and browsers write it down. */
const keyParameters: ReadonlySet<string> = new Set([
  "access_token",
  "api-key",
  "api_key",
  "apikey",
  "authorization",
  "x-api-key",
]);

/**
 * Refuses long-lived credentials in the query. The value is not said again.
 * @throws {SpillwayError} `credential-in-url`.
 */
export function refuseKeysInUrl(query: URLSearchParams): void {
  if (query.size === 0) return;
  for (const [name, value] of query) {
    if (!keyParameters.has(name.toLowerCase()) && !isKey(value) && !isKey(name)) continue;
    const message = "a key must not be in a URL: send it as a header, or get a ticket with it (POST /tickets)";
    throw new SpillwayError("credential-in-url", message, { field: isKey(name) ? undefined : name.slice(0, 100) });
  }
}
