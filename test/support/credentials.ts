import { createHash, createHmac, randomBytes } from "node:crypto";
import type { GrantConfig, KeyConfig } from "spillway";

/** An API key, and what the configuration says of it. */
export interface TestKey {
  readonly key: string;
  readonly config: KeyConfig;
}

/** Makes an API key as `spillway key new` does. */
export function makeKey(name: string, grant: GrantConfig & { readonly expires?: string }): TestKey {
  const key = `spw_${randomBytes(32).toString("base64url")}`;
  return { key, config: { name, hash: `sha256:${createHash("sha256").update(key).digest("hex")}`, ...grant } };
}

/** What the gateways under test verify tokens with. */
export const jwtSecret = "a-secret-that-only-the-tests-know-0123456789";

/** The claims of a token. */
export interface TestClaims {
  readonly sub?: string;
  /** Seconds since 1970. */
  readonly exp?: number;
  readonly spillway?: GrantConfig;
}

/** Makes a JSON Web Token by the letter of RFC 7519, so that the issuer is not the library that reads it. */
export function makeToken(claims: TestClaims, secret: string = jwtSecret): string {
  const head = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${head}.${createHmac("sha256", secret).update(head).digest("base64url")}`;
}

/** A token that nobody has signed, and that says so. */
export function makeUnsignedToken(claims: TestClaims): string {
  return `${encode({ alg: "none" })}.${encode(claims)}.`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** The time in so many seconds, as claims have it. */
export function secondsFromNow(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}

/** The header for a key or a token. */
export function bearer(credential: string): { readonly authorization: string } {
  return { authorization: `Bearer ${credential}` };
}
