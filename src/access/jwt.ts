import { createPublicKey } from "node:crypto";
import type * as Jose from "jose";
import type { JWTPayload, JWTVerifyGetKey, JWTVerifyOptions } from "jose";
import { SpillwayError } from "../errors.ts";
import { isGlob } from "../util/glob.ts";
import type { Logger } from "../util/logger.ts";
import { isName } from "../util/name.ts";
import { nothing, rights, type Grant, type Identity, type Recognition, type Right } from "./identity.ts";
import type { ClaimMapping, JwtOptions } from "./options.ts";
import { fingerprint } from "./secret-hash.ts";

/** Verifies the JSON Web Tokens of an issuer. */
export interface Tokens {
  /** How the holders of these tokens are identified. */
  readonly recognized: Recognition & { readonly by: "jwt" };
  /**
   * Identifies the holder of a token.
   * @throws {SpillwayError} `credential-invalid`, `credential-expired`, `issuer-unavailable`. The errors do not contain
   * values of the token.
   */
  identify(token: string): Promise<Identity>;
}

/**
 * Makes the verifier of tokens. If the options have not changed, `before` is reused: it may have the keys of an issuer
 * that is unreachable now.
 * @throws {SpillwayError} `config-invalid` if `publicKey` is not a public key.
 */
export function createTokens(options: JwtOptions, logger: Logger, before?: Tokens): Tokens {
  const recognized = { by: "jwt", under: fingerprint(options) } as const;
  if (before?.recognized.under === recognized.under) return before;
  const findKey = keysOf(options.verifyWith, logger);
  const rules = rulesOf(options);
  return {
    recognized,
    async identify(token) {
      const claims = await verify(token, findKey, rules);
      return {
        subject: `jwt:${typeof claims.sub === "string" && claims.sub !== "" ? claims.sub : "-"}`,
        grant: grantOf(claims, options),
        expiresAt: claims.exp === undefined ? undefined : endOf(claims.exp, options.clockTolerance),
        recognized,
      };
    },
  };
}

let jose: Promise<typeof Jose> | undefined;

/** Loads the library once, in a gateway that verifies tokens. */
function loadJose(): Promise<typeof Jose> {
  return (jose ??= import("jose"));
}

function rulesOf({ algorithms, issuer, audience, clockTolerance }: JwtOptions): JWTVerifyOptions {
  return {
    algorithms: [...algorithms],
    clockTolerance: clockTolerance / 1000,
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  };
}

async function verify(token: string, findKey: JWTVerifyGetKey, rules: JWTVerifyOptions): Promise<JWTPayload> {
  const { errors, jwtVerify } = await loadJose();
  try {
    return (await jwtVerify(token, findKey, rules)).payload;
  } catch (error) {
    if (error instanceof SpillwayError) throw error;
    if (error instanceof errors.JWTExpired) throw new SpillwayError("credential-expired", "the token has expired");
    // The original error contains all claims, so only the name of the invalid claim is passed on.
    const field = error instanceof errors.JWTClaimValidationFailed ? error.claim : undefined;
    throw new SpillwayError(
      "credential-invalid",
      field === undefined ? "the token is invalid" : `the token's claim ${field} is missing or invalid`,
      {
        field,
      },
    );
  }
}

/** A client that arrives after its token expired, but within the clock tolerance, may stay until the tolerance ends. */
function endOf(exp: number, tolerance: number): number {
  const end = Math.min(exp * 1000, 8.64e15);
  return end > Date.now() ? end : end + tolerance;
}

function keysOf(verifyWith: JwtOptions["verifyWith"], logger: Logger): JWTVerifyGetKey {
  if ("jwks" in verifyWith) return issuerKeysOf(verifyWith.jwks, logger);
  const key =
    "secret" in verifyWith ? new TextEncoder().encode(verifyWith.secret) : readPublicKey(verifyWith.publicKey);
  return () => key;
}

function issuerKeysOf(url: string, logger: Logger): JWTVerifyGetKey {
  const creating = import("./jwks.ts").then(({ createIssuerKeys }) => createIssuerKeys(url, logger));
  return async (header, token) => (await creating)(header, token);
}

function readPublicKey(pem: string): ReturnType<typeof createPublicKey> {
  try {
    return createPublicKey(pem);
  } catch {
    const expected = "a public key or a certificate as PEM";
    throw new SpillwayError("config-invalid", `access.jwt.publicKey: expected ${expected}`, {
      field: "access.jwt.publicKey",
      expected,
    });
  }
}

/** The claims of an accepted token. */
export type Claims = Readonly<Record<string, unknown>>;

const members: ReadonlySet<string> = new Set(["can", "streams", "routes", "channels", "events", "broadcast", "filter"]);

/**
 * The grant of a token: its `spillway` claim, the rights of every token, and the names that other claims are mapped to.
 * Values of the wrong type grant nothing. Nor does a token whose `spillway` claim has an unknown member, which may be a
 * misspelt restriction.
 */
export function grantOf(
  claims: Claims,
  { can, broadcast, claims: mappings }: Pick<JwtOptions, "can" | "broadcast" | "claims">,
): Grant {
  const own = readOwn(claims);
  const filter = own && valueOf(own, "filter");
  if (!own || (filter !== undefined && typeof filter !== "string")) return nothing;
  const scope = (name: keyof JwtOptions["claims"]): readonly string[] | undefined =>
    mappings[name] ? mapped(claims, mappings[name]) : names(own, name);
  return {
    can: [...new Set([...readRights(claims, own), ...can])],
    streams: scope("streams"),
    routes: scope("routes"),
    channels: scope("channels"),
    events: scope("events"),
    broadcast: broadcast || valueOf(own, "broadcast") === true,
    filter,
  };
}

/** The claim `spillway`, empty if absent; `undefined` if it is invalid. */
function readOwn(claims: Claims): Claims | undefined {
  const own = valueOf(claims, "spillway");
  if (own === undefined) return {};
  if (typeof own !== "object" || own === null || Array.isArray(own)) return undefined;
  return Object.keys(own).every((name) => members.has(name)) ? (own as Claims) : undefined;
}

/** A `spillway` claim without `can` grants `subscribe`. */
function readRights(claims: Claims, own: Claims): readonly Right[] {
  if (valueOf(claims, "spillway") === undefined) return [];
  const can = valueOf(own, "can");
  if (can === undefined) return ["subscribe"];
  return rights.filter((right) => texts(can).includes(right));
}

function names(own: Claims, member: string): readonly string[] | undefined {
  const value = valueOf(own, member);
  return value === undefined ? undefined : Array.isArray(value) ? texts(value) : [];
}

/** A value may be user input: it must name one thing and must not be a pattern that matches others. */
function mapped(claims: Claims, { claim, template }: ClaimMapping): readonly string[] {
  const value = valueOf(claims, claim);
  return texts(typeof value === "string" ? [value] : value)
    .filter(isPlain)
    .map((text) => template.replaceAll("{}", () => text));
}

function isPlain(text: string): boolean {
  return isName(text) && !isGlob(text);
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}

function valueOf(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}
