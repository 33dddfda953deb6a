import type { Grant } from "./grant.ts";
import type { AuthorizeRequest } from "./credentials.ts";

/** What the user's own decision says of a caller. Rights that are not said are `[subscribe]`. */
export interface AuthorizeResult extends Partial<Grant> {
  /** Who it is: what limits count by, and logs name. Default `anonymous`. */
  readonly subject?: string | undefined;
  /** When the rights end: a time in ms since 1970, a `Date`, or RFC 3339 text. Default: never. */
  readonly expiresAt?: number | string | Date | undefined;
}

/**
 * A decision as the library's user writes it: rights, or `undefined` to refuse. What it throws refuses too: a `SpillwayError` as it is,
 * anything else with `authorize-unavailable`. It is asked for every request and has no time limit but its own.
 */
export type AuthorizeFunction = (call: {
  /** The request as far as it is known before its body. */
  readonly request: AuthorizeRequest;
  /** The stream that is meant, if one is. */
  readonly stream: string | undefined;
}) => AuthorizeResult | undefined | Promise<AuthorizeResult | undefined>;
