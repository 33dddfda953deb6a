/** The `access` section as its author writes it. */
import type { AuthorizeFunction } from "../access/authorize.ts";
import type { Right } from "../access/grant.ts";
import type { Count, Duration, Size } from "./config.ts";

/** Who may do what. What nothing here grants is refused. */
export interface AccessConfig {
  /**
   * What clients without a credential may do: rights, or a grant. `admin` covers status, metrics, reload and the subscribers of others.
   * Default: nothing.
   */
  readonly anonymous?: readonly Right[] | GrantConfig | undefined;
  /** API keys, made by `spillway key new`, or keys that you have (`spillway key hash`). Default: none. */
  readonly keys?: readonly KeyConfig[] | undefined;
  /** JSON Web Tokens of an issuer. Default: none. */
  readonly jwt?: JwtConfig | undefined;
  /** Name of the cookie that may hold a JWT; a request with it must come from an allowed origin. Default: none. */
  readonly cookie?: string | undefined;
  /** Tickets, with which an `EventSource` shows who it is. */
  readonly tickets?: TicketsConfig | undefined;
  /** A service that decides by its answers, or in code a function. Default: none. */
  readonly authorize?: AuthorizeConfig | AuthorizeFunction | undefined;
  /** Which pages of other origins may use the gateway. */
  readonly cors?: CorsConfig | undefined;
}

/** What somebody may do, and with what. In names `*` stands for any characters. */
export interface GrantConfig {
  /** Rights: `subscribe`, `publish`, `admin`. Default: `[subscribe]`. */
  readonly can?: readonly Right[] | undefined;
  /** Streams. Default: all. */
  readonly streams?: readonly string[] | undefined;
  /** Channels. Default: all, and events without a channel. */
  readonly channels?: readonly string[] | undefined;
  /** Whether who subscribes to the granted `channels` also gets events without a channel. Default: false. */
  readonly broadcast?: boolean | undefined;
  /** Event types. Default: all. */
  readonly events?: readonly string[] | undefined;
}

/** An API key. */
export interface KeyConfig extends GrantConfig {
  /** What logs and metrics call it. */
  readonly name: string;
  /**
   * The hash of the key, which may be any secret: `sha256:<hex>`, `sha256:<salt>:<hex>` (of the salt and the secret behind it), or scrypt
   * in the PHC string format. `spillway key hash` makes it.
   */
  readonly hash: string;
  /** When it ends: an RFC 3339 time. Default: never. */
  readonly expires?: string | undefined;
}

/** Which JSON Web Tokens count, and what they grant: what their claim `spillway: { can, streams, channels, events, broadcast }` says. */
export interface JwtConfig {
  /** The secret of HS256 and its like, at least 32 bytes. Give this, `publicKey` or `jwks`. */
  readonly secret?: string | undefined;
  /** The issuer's public key: PEM text or the path of a PEM file. */
  readonly publicKey?: string | undefined;
  /** URL of the issuer's key set. */
  readonly jwks?: string | undefined;
  /** What the claim `iss` must be. Default: not looked at. */
  readonly issuer?: string | undefined;
  /** What the claim `aud` must be or hold. Default: not looked at. */
  readonly audience?: string | undefined;
  /** Accepted algorithms. Default: `[HS256]` with a secret, else `[RS256, ES256, EdDSA]`. */
  readonly algorithms?: readonly string[] | undefined;
  /** How far the clocks of issuer and gateway may differ. Default: `5s`. */
  readonly clockTolerance?: Duration | undefined;
  /** Rights of every accepted token, with or without a `spillway` claim. Default: none. */
  readonly can?: readonly Right[] | undefined;
  /** Whether every accepted token also gets events without a channel. Default: false; a token may say so itself. */
  readonly broadcast?: boolean | undefined;
  /** Parts of the grant out of other claims, as `claim:<name>` or `claim:<name> → <text with {}>`. */
  readonly claims?: ClaimsConfig | undefined;
}

/** Where parts of a grant are found in a token; a token without the claim gets none of what it names. */
export interface ClaimsConfig {
  /** Default: the member of the `spillway` claim. */
  readonly streams?: string | undefined;
  /** For example `claim:tenant → tenant:{}`. */
  readonly channels?: string | undefined;
  /** Default: the member of the `spillway` claim. */
  readonly events?: string | undefined;
}

/** Tickets for `EventSource`. */
export interface TicketsConfig {
  /** The longest that a ticket lives, whatever its holder's credential says. Default: `12h`. */
  readonly lifetime?: Duration | undefined;
  /** How soon it must be used first. Default: `30s`. */
  readonly firstUse?: Duration | undefined;
  /** Whether clients without a credential get tickets, which they can do without. Default: false. */
  readonly anonymous?: boolean | undefined;
  /**
   * Tickets that one subject (key, user) holds, or one address without a subject. Beyond it the subject's used ticket goes that was not
   * used for longest; if none was used, the answer is 429. At most 100,000. Default: `10_000`.
   */
  readonly perSubject?: Count | undefined;
  /** Unused tickets that were made for one address; beyond it 429. At most 100,000. Default: `10_000`. */
  readonly perAddress?: Count | undefined;
  /** What the tickets of one subject may take, about 1 kB each; beyond it as with `perSubject`. Default: `8MiB`. */
  readonly bytes?: Size | undefined;
}

/** A service that is asked who may do what. */
export interface AuthorizeConfig {
  /** Asked with a POST; 200 with rights as JSON grants them, 401 and 403 refuse, anything else is answered with 503. */
  readonly url: string;
  /** How long it may take. Default: `2s`. */
  readonly timeout?: Duration | undefined;
  /** How long an answer counts for the same credential and stream; `0s` asks every time. Default: `5s`. */
  readonly cache?: Duration | undefined;
  /**
   * How much longer an answer that let somebody in counts while the service does not answer or is too busy; `0s` not at all. Default: `30s`.
   */
  readonly stale?: Duration | undefined;
}

/** Pages of other origins (CORS). */
export interface CorsConfig {
  /** Origins such as `https://app.example`; `["*"]` for all, without credentials. Default: none. */
  readonly origins?: readonly string[] | undefined;
  /** Whether pages may send cookies. Default: false. */
  readonly credentials?: boolean | undefined;
  /** How long a browser may keep the answer of a preflight. Default: `10m`. */
  readonly maxAge?: Duration | undefined;
}
