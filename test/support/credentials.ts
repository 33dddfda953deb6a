import { createHash, createHmac, randomBytes } from "node:crypto";
import type { GrantConfig, KeyConfig } from "spillway";

/** An API key and its entry in the configuration. */
export interface TestKey {
  readonly key: string;
  readonly config: KeyConfig;
}

/** Makes an API key as `spillway key new` does. */
export function makeKey(name: string, grant: GrantConfig & { readonly expires?: string }): TestKey {
  const key = `spw_${randomBytes(32).toString("base64url")}`;
  return { key, config: { name, hash: `sha256:${createHash("sha256").update(key).digest("hex")}`, ...grant } };
}

/** The secret with which the tested gateways verify tokens. */
export const jwtSecret = "a-secret-that-only-the-tests-know-0123456789";

/** The claims of a token. */
export interface TestClaims {
  readonly sub?: string;
  /** Seconds since 1970. */
  readonly exp?: number;
  readonly spillway?: GrantConfig;
}

/** Makes a JSON Web Token according to RFC 7519, without the library that verifies it. */
export function makeToken(claims: TestClaims, secret: string = jwtSecret): string {
  const head = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${head}.${createHmac("sha256", secret).update(head).digest("base64url")}`;
}

/** An unsigned token with `alg: none`. */
export function makeUnsignedToken(claims: TestClaims): string {
  return `${encode({ alg: "none" })}.${encode(claims)}.`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** The time in this many seconds, in the format of claims. */
export function secondsFromNow(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}

/** The header for a key or a token. */
export function bearer(credential: string): { readonly authorization: string } {
  return { authorization: `Bearer ${credential}` };
}
