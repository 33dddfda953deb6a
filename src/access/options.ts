/** Access options as returned by the config resolver: complete, validated, frozen. Times in ms. */
import type { AuthorizeFunction } from "./authorize.ts";
import type { Grant } from "./identity.ts";
import type { TicketRules } from "./held-tickets.ts";

export interface KeyOptions {
  /** Its name in logs and metrics; unique. */
  readonly name: string;
  /** The hash of the key, in a format of `readHash`. The key itself is not stored. */
  readonly hash: string;
  readonly grant: Grant;
  /** When the key expires, ms since 1970. */
  readonly expiresAt: number | undefined;
}

/** Maps a claim of a token to names of a grant: each value of the claim replaces `{}` in the template. */
export interface ClaimMapping {
  readonly claim: string;
  readonly template: string;
}

export interface JwtOptions {
  /** Exactly one of the three. */
  readonly verifyWith:
    | { readonly secret: string }
    /** PEM (SPKI or X.509). */
    | { readonly publicKey: string }
    /** URL of a JSON Web Key Set. */
    | { readonly jwks: string };
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  readonly algorithms: readonly string[];
  /** How far the clocks of issuer and gateway may differ. */
  readonly clockTolerance: number;
  /** Rights of every accepted token, in addition to those of its `spillway` claim. */
  readonly can: readonly Grant["can"][number][];
  /** Whether every accepted token also gets events without a channel. */
  readonly broadcast: boolean;
  readonly claims: {
    readonly streams: ClaimMapping | undefined;
    readonly routes: ClaimMapping | undefined;
    readonly channels: ClaimMapping | undefined;
    readonly events: ClaimMapping | undefined;
  };
}

export interface AuthorizeOptions {
  /** URL of the user's service, called with POST. */
  readonly url: string;
  readonly timeout: number;
  /** How long an answer is cached; 0 to cache nothing. */
  readonly cache: number;
  /** How much longer an answer that granted access is used while the service is unreachable. */
  readonly stale: number;
}

export interface CorsOptions {
  /** Origins such as `https://app.example`, or `*` alone. */
  readonly origins: readonly string[];
  /** Whether pages may send cookies. */
  readonly credentials: boolean;
  /** How long a browser may cache the response to a preflight request. */
  readonly maxAge: number;
}

export interface AccessOptions {
  /** Rights of clients without a credential. */
  readonly anonymous: Grant;
  readonly keys: readonly KeyOptions[];
  readonly jwt: JwtOptions | undefined;
  /** Name of the cookie that may hold a JWT instead of the Authorization header. */
  readonly cookie: string | undefined;
  readonly tickets: TicketRules & {
    /** Whether clients without a credential can get tickets. */
    readonly anonymous: boolean;
  };
  readonly authorize: AuthorizeOptions | AuthorizeFunction | undefined;
  readonly cors: CorsOptions;
}
