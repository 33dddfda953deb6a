import { createPublicKey } from "node:crypto";
import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions } from "jose";
import { SpillwayError } from "../errors.ts";
import { isGlob } from "../util/glob.ts";
import type { Logger } from "../util/logger.ts";
import { nothing, rights, type Grant, type Identity, type Recognition, type Right } from "./identity.ts";
import { createIssuerKeys } from "./jwks.ts";
import type { ClaimMapping, JwtOptions } from "./options.ts";
import { fingerprint } from "./secret-hash.ts";

/** Recognizes the JSON Web Tokens of an issuer. */
export interface Tokens {
  /** How the holders of such a token are identified. */
  readonly recognized: Recognition & { readonly by: "jwt" };
  /**
   * Whose token it is.
   * @throws {SpillwayError} `credential-invalid`, `credential-expired`, `issuer-unavailable`; none of them says anything of the token.
   */
  identify(token: string): Promise<Identity>;
}

/**
 * Makes the reader of tokens, or takes the one before if it is the same: it may have the keys of an issuer that cannot be reached now.
 * @throws {SpillwayError} `config-invalid` where the public key is none.
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

function rulesOf({ algorithms, issuer, audience, clockTolerance }: JwtOptions): JWTVerifyOptions {
  return {
    algorithms: [...algorithms],
    clockTolerance: clockTolerance / 1000,
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  };
}

async function verify(token: string, findKey: JWTVerifyGetKey, rules: JWTVerifyOptions): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, findKey, rules)).payload;
  } catch (error) {
    if (error instanceof SpillwayError) throw error;
    if (error instanceof errors.JWTExpired) throw new SpillwayError("credential-expired", "the token has expired");
    // The error underneath holds all claims, so it is not passed on, but for the name of the one at fault.
    const field = error instanceof errors.JWTClaimValidationFailed ? error.claim : undefined;
    throw new SpillwayError(
      "credential-invalid",
      field === undefined ? "the token is not known" : `the token's ${field} does not fit`,
      {
        field,
      },
    );
  }
}

/** Who comes in the time between the end of the token and that of our patience is let go at the end of the latter. */
function endOf(exp: number, tolerance: number): number {
  const end = Math.min(exp * 1000, 8.64e15);
  return end > Date.now() ? end : end + tolerance;
}

function keysOf(verifyWith: JwtOptions["verifyWith"], logger: Logger): JWTVerifyGetKey {
  if ("jwks" in verifyWith) return createIssuerKeys(verifyWith.jwks, logger);
  const key =
    "secret" in verifyWith ? new TextEncoder().encode(verifyWith.secret) : readPublicKey(verifyWith.publicKey);
  return () => key;
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

/** The claims of a token that was accepted. */
export type Claims = Readonly<Record<string, unknown>>;

const members: ReadonlySet<string> = new Set(["can", "streams", "channels", "events", "broadcast"]);

/**
 * What a token grants: its claim `spillway`, the rights of every token, and what other claims are mapped to. What is wrongly typed
 * grants nothing; nor does a `spillway` claim with a member that does not exist, which may be a misspelt bound.
 */
export function grantOf(
  claims: Claims,
  { can, broadcast, claims: mappings }: Pick<JwtOptions, "can" | "broadcast" | "claims">,
): Grant {
  const own = readOwn(claims);
  if (!own) return nothing;
  const scope = (name: "streams" | "channels" | "events"): readonly string[] | undefined =>
    mappings[name] ? mapped(claims, mappings[name]) : names(own, name);
  return {
    can: [...new Set([...readRights(claims, own), ...can])],
    streams: scope("streams"),
    channels: scope("channels"),
    events: scope("events"),
    broadcast: broadcast || valueOf(own, "broadcast") === true,
  };
}

/** The claim `spillway`, or an empty one; `undefined` if it is of no use. */
function readOwn(claims: Claims): Claims | undefined {
  const own = valueOf(claims, "spillway");
  if (own === undefined) return {};
  if (typeof own !== "object" || own === null || Array.isArray(own)) return undefined;
  return Object.keys(own).every((name) => members.has(name)) ? (own as Claims) : undefined;
}

/** Who says nothing of rights in a `spillway` claim means the plainest. */
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
  return text.length > 0 && text.length <= 256 && !isGlob(text) && !/[\u0000-\u001f\u007f,]/.test(text);
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}

function valueOf(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}
