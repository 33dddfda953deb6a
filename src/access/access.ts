import { randomUUID } from "node:crypto";
import { SpillwayError } from "../errors.ts";
import { addressKey } from "../util/ip-address.ts";
import type { Logger } from "../util/logger.ts";
import { createAuthorizer, decide, type Authorizer } from "./authorizer.ts";
import type { AuthorizeRequest, GrantDecision } from "./authorize.ts";
import { readCredential, type PresentedCredential } from "./credentials.ts";
import { createFailedCredentials, type FailedCredentials, type FailureRate } from "./failed-credentials.ts";
import { isDashboard, renewScoped, type Identity } from "./identity.ts";
import { createTokens, type Tokens } from "./jwt.ts";
import { createKeys, type Keys } from "./keys.ts";
import type { AccessOptions } from "./options.ts";
import { createOriginCheck, isForgeable, type OriginCheck } from "./origin.ts";
import type { Tickets } from "./tickets.ts";

/** A request about which the embedding program may decide. */
export interface IdentifiedRequest extends AuthorizeRequest {
  /** The program's decision, in place of all that is configured. */
  readonly grant?: (() => GrantDecision) | undefined;
}

/** Identifies the sender of a request and its rights. */
export interface Access {
  /**
   * Synchronous without a credential or with a fast key, asynchronous otherwise. A request with a credential never
   * counts as anonymous. Throws or rejects.
   * @throws {SpillwayError} `credential-invalid`, `credential-expired`, `ticket-invalid`, `origin-denied`,
   * `access-denied` (the user's service refuses), `authorize-unavailable`, `issuer-unavailable`.
   */
  identify(request: IdentifiedRequest, stream: string | undefined): Identity | Promise<Identity>;
  /**
   * Runs the check of a signature under the limit of failed credentials: each failure counts. `source` is whose
   * signature it is; after a valid one, its address is not blocked for this source.
   * @throws {SpillwayError} `rate-limited` without running the check; what the check throws.
   */
  guardSignature<T>(request: AuthorizeRequest, source: string, check: () => Promise<T>): Promise<T>;
  /** Throws `origin-denied` for a page of another origin. */
  checkOwnOrigin(request: AuthorizeRequest): void;
  /** Resolves an identity of an earlier configuration in this one; `undefined` if it is no longer valid. */
  review(identity: Identity): Identity | undefined;
  /** Whether any kind of credential is configured. */
  readonly takesCredentials: boolean;
  /** Whether anonymous clients can get tickets. */
  readonly anonymousTickets: boolean;
}

export interface AccessDependencies {
  readonly tickets: Tickets;
  /** The gateway's origin as the sender's browser sees it, for cookies; `undefined` if the request names no host. */
  readonly originOf: (request: AuthorizeRequest) => string | undefined;
  /** The client's address, for the user's service. Default: that of the connection. */
  readonly addressOf?: (request: AuthorizeRequest) => string | undefined;
  readonly logger: Logger;
  /** The sessions of the dashboard: whether they may change anything. Default: there are none. */
  readonly dashboard?: { readonly write: boolean } | undefined;
  /** How many different unknown credentials an address may send before it has to wait. Default: unlimited. */
  readonly failedCredentials?: FailureRate | undefined;
  /** The instance of the previous configuration, whose state of keys, issuers and failures is reused. Default: none. */
  readonly previous?: Access | undefined;
}

interface Parts {
  readonly keys: Keys;
  readonly tokens: Tokens | undefined;
  readonly failed: FailedCredentials;
}

/** For the instance of the next configuration. */
const partsOf = new WeakMap<Access, Parts>();

/**
 * Makes the access control of a configuration.
 * @throws {SpillwayError} `config-invalid` if `jwt.publicKey` is not a public key.
 */
export function createAccess(options: AccessOptions, dependencies: AccessDependencies): Access {
  const { tickets, originOf, addressOf = ({ address }) => address, logger, failedCredentials, previous } = dependencies;
  const anonymous: Identity = { subject: "anonymous", grant: options.anonymous, recognized: { by: "anonymous" } };
  const before = previous && partsOf.get(previous);
  const keys = createKeys(options.keys, logger, before?.keys);
  const tokens = options.jwt && createTokens(options.jwt, logger, before?.tokens);
  const authorizer = options.authorize && createAuthorizer(options.authorize, { addressOf, logger });
  const failed = before?.failed ?? createFailedCredentials(failedCredentials);
  failed.change(failedCredentials);
  const checkOrigin = createOriginCheck(options.cors.origins, originOf);
  const checkOwnOrigin = createOriginCheck([], originOf, "the dashboard accepts requests of its own pages only");
  const { byTicket, bySession } = createRedemption(tickets, checkOwnOrigin, dependencies.dashboard);
  const takesCredentials = options.keys.length > 0 || tokens !== undefined || authorizer !== undefined;
  const rules = { cookie: options.cookie, ignoreForeign: !takesCredentials };

  const byToken = async (token: string): Promise<Identity | undefined> => {
    try {
      return await tokens?.identify(token);
    } catch (error) {
      // Another source may know the credential; if there is no other, this error is the most specific.
      if (!(error instanceof SpillwayError && error.code === "credential-invalid" && (authorizer || keys.hasSlow)))
        throw error;
      return undefined;
    }
  };
  const checkKey = (text: string, request: AuthorizeRequest): Promise<Identity | undefined> =>
    keys.check(text, addressKey(addressOf(request) ?? ""));
  const identify = (
    shown: PresentedCredential,
    request: AuthorizeRequest,
    stream: string | undefined,
  ): Identity | Promise<Identity> => {
    const ask = (): Promise<Identity> => authorizer?.identify(request, stream) ?? unknown();
    switch (shown.kind) {
      case "none":
        return authorizer ? ask() : anonymous;
      case "key":
        return keys.find(shown.text) ?? checkKey(shown.text, request).then((found) => found ?? unknown());
      case "secret":
        return keys.find(shown.text) ?? checkKey(shown.text, request).then((found) => found ?? ask());
      case "bearer":
        return keys.find(shown.text) ?? byBearer(shown.text, request, ask);
      case "ticket":
        return byTicket(shown.text, request);
      case "session":
        return bySession(shown.text, request);
      case "cookie":
        checkOrigin(request);
        return byToken(shown.text).then((found) => found ?? ask());
      case "foreign":
        return ask();
    }
  };
  /** Checks the slow hashes only if the credential is not a valid token. */
  const byBearer = async (text: string, request: AuthorizeRequest, ask: () => Promise<Identity>): Promise<Identity> =>
    (await byToken(text)) ?? (await checkKey(text, request)) ?? ask();
  const access: Access = {
    takesCredentials,
    anonymousTickets: options.tickets.anonymous,
    identify(request, stream) {
      if (request.grant) return identifyByProgram(request, request.grant, { byTicket, checkOrigin, logger });
      const shown = readCredential(request, rules);
      const credential = guessable(shown, request);
      if (credential === undefined) return identify(shown, request, stream);
      return failed.guard(addressOf(request), credential, () => identify(shown, request, stream));
    },
    checkOwnOrigin,
    guardSignature: async (request, source, check) => failed.guard(addressOf(request), source, check, randomUUID()),
    review(identity) {
      const reviewed = recognize(identity, { anonymous, keys, tokens, authorizer });
      return reviewed && identity.ticket !== undefined ? renewScoped(identity, reviewed) : reviewed;
    },
  };
  partsOf.set(access, { keys, tokens, failed });
  return access;
}

interface ProgramChecks extends Pick<Redemption, "byTicket">, Pick<AccessDependencies, "logger"> {
  readonly checkOrigin: OriginCheck;
}

/**
 * Leaves the decision to the embedding program. Tickets are the gateway's own: the program has decided when it let their
 * holders get them.
 */
function identifyByProgram(
  request: AuthorizeRequest,
  grant: () => GrantDecision,
  { byTicket, checkOrigin, logger }: ProgramChecks,
): Identity | Promise<Identity> {
  const ticket = request.query.get("ticket");
  if (ticket !== null) return byTicket(ticket, request);
  if (isForgeable(request)) checkOrigin(request);
  return decide(grant, { by: "program" }, logger);
}

interface Recognizers extends Pick<Parts, "keys" | "tokens"> {
  readonly anonymous: Identity;
  readonly authorizer: Authorizer | undefined;
}

/** The current identity of a caller, ignoring the ticket that it came with. */
function recognize(identity: Identity, { anonymous, keys, tokens, authorizer }: Recognizers): Identity | undefined {
  const { recognized } = identity;
  switch (recognized.by) {
    case "anonymous":
      return authorizer ? undefined : anonymous;
    case "key":
      return keys.ofHash(recognized.hash);
    case "jwt":
      return tokens?.recognized.under === recognized.under ? identity : undefined;
    case "authorize":
      return authorizer?.recognized.under === recognized.under ? identity : undefined;
    case "program":
      return identity;
  }
}

type Redemption = Record<"byTicket" | "bySession", (ticket: string, request: AuthorizeRequest) => Promise<Identity>>;

/** Redeems the tickets of clients, and those of the dashboard's sessions: neither counts as the other. */
function createRedemption(
  tickets: Tickets,
  checkOwnOrigin: OriginCheck,
  dashboard: AccessDependencies["dashboard"],
): Redemption {
  const redeem = async (ticket: string, isSession: boolean): Promise<Identity> => {
    const identity = await tickets.redeem(ticket);
    if (isDashboard(identity) !== isSession) throw new SpillwayError("ticket-invalid");
    return identity;
  };
  return {
    byTicket: (ticket) => redeem(ticket, false),
    async bySession(ticket, request) {
      checkOwnOrigin(request);
      if (!dashboard) throw new SpillwayError("ticket-invalid");
      if (!dashboard.write && !reading.has(request.method)) throw readOnly();
      return redeem(ticket, true);
    },
  };
}

const reading: ReadonlySet<string> = new Set(["GET", "HEAD"]);

function readOnly(): SpillwayError {
  return new SpillwayError("access-denied", "the dashboard is read-only unless dashboard.write is true");
}

function unknown(): never {
  throw new SpillwayError("credential-invalid", "unknown key or token");
}

/**
 * The credential that a brute-force attack would vary. Tickets are exempt: 256 bits cannot be guessed, and after a
 * restart all clients of an address send tickets that have expired.
 */
function guessable(shown: PresentedCredential, request: AuthorizeRequest): string | undefined {
  if (shown.kind === "none" || shown.kind === "ticket" || shown.kind === "session") return undefined;
  return shown.kind === "foreign" ? request.header("authorization") : shown.text;
}
