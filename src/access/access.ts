import { SpillwayError } from "../errors.ts";
import type { Logger } from "../util/logger.ts";
import { createAuthorizer } from "./authorizer.ts";
import { readCredential, refuseKeysInUrl, type Credentials, type Shown } from "./credentials.ts";
import type { Identity } from "./identity.ts";
import { createTokens, type Tokens } from "./jwt.ts";
import { createKeys } from "./keys.ts";
import { renewScoped } from "./narrow.ts";
import type { AccessOptions } from "./options.ts";
import { createOriginCheck } from "./origin.ts";
import type { Tickets } from "./tickets.ts";

/** Says who sends a request, and what that allows. */
export interface Access {
  /**
   * At once for who shows nothing or a key, later for who has to be asked about. Who shows a credential is never taken for anonymous.
   * Throws or rejects.
   * @throws {SpillwayError} `credential-invalid`, `credential-expired`, `credential-in-url`, `ticket-invalid`, `origin-denied`,
   * `access-denied` (the user's service refuses), `authorize-unavailable`, `issuer-unavailable`.
   */
  identify(request: Credentials, stream: string | undefined): Identity | Promise<Identity>;
  /** What an identity of another configuration comes to in this one; `undefined` where it counts no longer. */
  review(identity: Identity): Identity | undefined;
  /** Whether any credential could bring more than none does. */
  readonly takesCredentials: boolean;
}

export interface AccessDependencies {
  readonly tickets: Tickets;
  /** Scheme and host of the gateway as the sender's browser knows them, for cookies; `undefined` where the request does not tell. */
  readonly originOf: (request: Credentials) => string | undefined;
  /** The client's address, for the user's service. Default: that of the connection. */
  readonly addressOf?: (request: Credentials) => string | undefined;
  readonly logger: Logger;
  /** What decided before: the keys of an issuer that it knows are used again. Default: none. */
  readonly previous?: Access | undefined;
}

/** For the one that comes after. */
const tokensOf = new WeakMap<Access, Tokens>();

/**
 * Makes what decides about access.
 * @throws {SpillwayError} `config-invalid` where `jwt.publicKey` is none.
 */
export function createAccess(options: AccessOptions, dependencies: AccessDependencies): Access {
  const { tickets, originOf, addressOf = ({ address }) => address, logger, previous } = dependencies;
  const anonymous: Identity = { subject: "anonymous", grant: options.anonymous, recognized: { by: "anonymous" } };
  const keys = createKeys(options.keys);
  const tokens = options.jwt && createTokens(options.jwt, logger, previous && tokensOf.get(previous));
  const authorizer = options.authorize && createAuthorizer(options.authorize, { addressOf, logger });
  const checkOrigin = createOriginCheck(options.cors.origins, originOf);
  const takesCredentials = options.keys.length > 0 || tokens !== undefined || authorizer !== undefined;
  const reading = { cookie: options.cookie, ignoreForeign: !takesCredentials };

  const byToken = async (token: string, otherwise: () => Identity | Promise<Identity>): Promise<Identity> => {
    try {
      if (tokens) return await tokens.identify(token);
    } catch (error) {
      if (!(error instanceof SpillwayError && error.code === "credential-invalid" && authorizer)) throw error;
    }
    return otherwise();
  };
  const identify = (shown: Shown, request: Credentials, stream: string | undefined): Identity | Promise<Identity> => {
    const unknown = (): Promise<Identity> => {
      if (authorizer) return authorizer.identify(request, stream);
      throw new SpillwayError("credential-invalid");
    };
    switch (shown.kind) {
      case "none":
        return authorizer ? unknown() : anonymous;
      case "key":
        return keys.identify(shown.key);
      case "ticket":
        return tickets.redeem(shown.ticket);
      case "token":
        if (shown.by === "cookie") checkOrigin(request);
        return byToken(shown.token, unknown);
      case "foreign":
        return unknown();
    }
  };
  /** The identity without regard to a ticket that it came with. */
  const recognize = (identity: Identity): Identity | undefined => {
    const { recognized } = identity;
    switch (recognized.by) {
      case "anonymous":
        return authorizer ? undefined : anonymous;
      case "key":
        return keys.find(recognized.hash);
      case "jwt":
        return tokens?.recognized.under === recognized.under ? identity : undefined;
      case "authorize":
        return authorizer?.recognized.under === recognized.under ? identity : undefined;
    }
  };
  const access: Access = {
    takesCredentials,
    identify(request, stream) {
      refuseKeysInUrl(request.query);
      return identify(readCredential(request, reading), request, stream);
    },
    review(identity) {
      const reviewed = recognize(identity);
      return reviewed && identity.ticket !== undefined ? renewScoped(identity, reviewed) : reviewed;
    },
  };
  if (tokens) tokensOf.set(access, tokens);
  return access;
}
