import { createPublicKey } from "node:crypto";
import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions } from "jose";
import { SpillwayError } from "../errors.ts";
import type { Logger } from "../util/logger.ts";
import { grantOf } from "./claims.ts";
import { fingerprint } from "./fingerprint.ts";
import type { Identity, Recognition } from "./identity.ts";
import { createIssuerKeys } from "./jwks.ts";
import type { JwtOptions } from "./options.ts";

/** Recognizes the JSON Web Tokens of an issuer. */
export interface Tokens {
  /** What those are recognized by who show such a token. */
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
