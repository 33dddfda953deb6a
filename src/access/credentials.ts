import { SpillwayError } from "../errors.ts";
import type { AuthorizeRequest } from "./authorize.ts";
import { readCookie } from "./cookie.ts";
import { isKey } from "./keys.ts";
import { readSession } from "./session-cookie.ts";

/** The credential of a request, not yet verified. If there are several, the one that is checked. */
export type PresentedCredential =
  | { readonly kind: "none" }
  | { readonly kind: "key"; readonly text: string }
  /** A key that Spillway did not generate, or a token. */
  | { readonly kind: "bearer"; readonly text: string }
  /** A key that Spillway did not generate, or a secret that only the authorize service knows. */
  | { readonly kind: "secret"; readonly text: string }
  | { readonly kind: "cookie"; readonly text: string }
  | { readonly kind: "ticket"; readonly text: string }
  /** The ticket of a session of the dashboard. */
  | { readonly kind: "session"; readonly text: string }
  /** Another scheme of `Authorization`, which only the authorize service can check. */
  | { readonly kind: "foreign" };

export interface CredentialReading {
  /** The name of the cookie that may hold a token; `undefined` to read no cookie. */
  readonly cookie: string | undefined;
  /** Whether to ignore headers with anything but a Spillway key, because only tickets are accepted. */
  readonly ignoreForeign: boolean;
}

/**
 * Reads the first of: `Authorization`, `X-API-Key`, `?ticket=`, the session of the dashboard, the cookie. Only the first is used, whether it is valid
 * or not.
 */
export function readCredential(
  request: AuthorizeRequest,
  { cookie, ignoreForeign }: CredentialReading,
): PresentedCredential {
  const shown = ofHeaders(request);
  if (shown && !(ignoreForeign && shown.kind !== "key")) return shown;
  const ticket = request.query.get("ticket");
  if (ticket !== null) return { kind: "ticket", text: ticket };
  const session = readSession(request);
  if (session !== undefined) return { kind: "session", text: session };
  const token = cookie === undefined ? undefined : readCookie(request.header("cookie"), cookie);
  return token === undefined ? { kind: "none" } : { kind: "cookie", text: token };
}

function ofHeaders(request: AuthorizeRequest): PresentedCredential | undefined {
  const authorization = request.header("authorization");
  if (authorization !== undefined) {
    const [bearer, text = ""] = /^Bearer(?: +(.*))?$/is.exec(authorization) ?? [];
    if (bearer === undefined) return { kind: "foreign" };
    return isKey(text) ? { kind: "key", text } : { kind: "bearer", text };
  }
  const key = request.header("x-api-key");
  if (key === undefined) return undefined;
  return isKey(key) ? { kind: "key", text: key } : { kind: "secret", text: key };
}

/** Usual names of parameters for keys and tokens. Proxies and browsers record URLs with such values. */
const credentialParameters: ReadonlySet<string> = new Set([
  "access_token",
  "api-key",
  "api_key",
  "apikey",
  "authorization",
  "jwt",
  "key",
  "token",
  "x-api-key",
]);

/** Header and claims of a JSON Web Token are JSON objects, whose base64url starts with the encoding of `{"`. */
const token = /^eyJ[\w-]+\.eyJ[\w-]*\.[\w-]*$/;

/**
 * Refuses long-lived credentials in the query: parameters with a usual name for one, and values that look like one
 * under any name. The error does not repeat the value.
 * @throws {SpillwayError} `credential-in-url`.
 */
export function refuseCredentialsInUrl(query: URLSearchParams): void {
  if (query.size === 0) return;
  for (const [name, value] of query) {
    const isSecret = (text: string): boolean => isKey(text) || token.test(text);
    if (!credentialParameters.has(name.toLowerCase()) && !isSecret(value) && !isSecret(name)) continue;
    const message =
      "a key or token must not be in a URL: send it as a header, or get a ticket with it (POST /tickets) and send ?ticket=";
    throw new SpillwayError("credential-in-url", message, { field: isSecret(name) ? undefined : name.slice(0, 100) });
  }
}
