import type { Access } from "../access/access.ts";
import { permits, type Identity, type SubscriberRight } from "../access/identity.ts";
import type { Tickets } from "../access/tickets.ts";
import type { EndReason } from "../hub/control.ts";
import type { CloseReason, Subscriber, SubscriptionOwner } from "../hub/subscriber.ts";
import type { LogFilter } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import { callHook, patternsOf, type ClientConnection, type ConnectionHooks } from "./connection-hooks.ts";
import { grantFor, narrow, type RequestedFilter } from "./filter.ts";

/** Selects the sessions to end. */
export type SessionMatch =
  | { readonly subject: string; readonly stream?: string | undefined }
  /** The sessions opened with a ticket, up to this number. */
  | { readonly ticket: string; readonly upTo: number };

/** A client that is being served: a subscription, or a waiting long poll. */
export interface SessionParts {
  readonly identity: Identity;
  readonly address: string | undefined;
  readonly stream: string;
  /** The right that the client needs. */
  readonly right: SubscriberRight;
  /** The requested filter, before it was narrowed to the grant. */
  readonly asked: RequestedFilter | undefined;
  /** Frees the client's place in the connection limits. */
  readonly release: () => void;
}

/** All sessions of a process. */
export interface Sessions {
  /**
   * Opens a session, and ends another one with the same ticket. `stop` is called when the server must end the new
   * session.
   */
  open(parts: SessionParts, stop: (reason: EndReason) => void): Session;
  /** Ends the matching sessions and returns their number. */
  end(match: SessionMatch, reason: EndReason): number;
  /** Ends the sessions whose grant no longer covers them. Checks all sessions, or `only` one. */
  review(access: Access, only?: Session): void;
}

interface SessionHost {
  close(session: Session): void;
  readonly hooks: ConnectionHooks;
  readonly logger: Logger;
}

/** The interval at which expired credentials are detected, in ms. */
const sweepInterval = 250;

export class Session implements SubscriptionOwner {
  identity: Identity;
  /** The session's number in this process. */
  readonly number: number;
  readonly parts: SessionParts;
  readonly stop: (reason: EndReason) => void;
  /** Frees its place among the concurrent replays. */
  leaveReplay: (() => void) | undefined;
  /** The argument of the hooks, if there are any. */
  #connection: ClientConnection | undefined;
  readonly #startedAt = Date.now();
  readonly #host: SessionHost;

  constructor(number: number, parts: SessionParts, stop: (reason: EndReason) => void, host: SessionHost) {
    this.number = number;
    this.identity = parts.identity;
    this.parts = parts;
    this.stop = stop;
    this.#host = host;
    const { address, stream } = parts;
    host.logger.debug({ subject: parts.identity.subject, address, stream }, "subscription began");
  }

  /** Calls the hook for a new subscription. From then on, its end is also reported. */
  announce(client: string, filter: LogFilter | undefined): void {
    const { hooks, logger } = this.#host;
    if (!hooks.onConnect && !hooks.onDisconnect) return;
    const { address, stream } = this.parts;
    this.#connection = { client, stream, filter: patternsOf(filter), subject: this.identity.subject, address };
    callHook(hooks.onConnect, this.#connection, logger);
  }

  onLive(): void {
    this.leaveReplay?.();
    this.leaveReplay = undefined;
  }

  onEnd(reason: CloseReason, { events, sink }: Subscriber): void {
    this.close();
    const { address, stream } = this.parts;
    const duration = Date.now() - this.#startedAt;
    const { subject } = this.identity;
    const { hooks, logger } = this.#host;
    logger.info({ subject, address, stream, duration, events, bytes: sink.sent, reason }, "subscription ended");
    const connection = this.#connection;
    if (connection)
      callHook(hooks.onDisconnect, { ...connection, subject, reason, duration, events, bytes: sink.sent }, logger);
  }

  /** Ends the session. Idempotent. */
  close(): void {
    this.onLive();
    this.parts.release();
    this.#host.close(this);
  }
}

/** What {@link begin} checks a session against. */
interface BeginContext {
  readonly sessions: Pick<Sessions, "review">;
  readonly policy: { readonly access: Access };
  readonly tickets: Pick<Tickets, "use">;
}

/**
 * Begins a session once it can be ended: its grant may have changed while it waited, and its ticket may be in use
 * elsewhere.
 */
export function begin(session: Session, { sessions, policy, tickets }: BeginContext): void {
  sessions.review(policy.access, session);
  if (session.identity.ticket !== undefined) tickets.use(session.identity.ticket, session.number);
}

/** Creates the sessions of a process. */
export function createSessions(logger: Logger, hooks: ConnectionHooks = {}): Sessions {
  const all = new Set<Session>();
  const expiring = new Set<Session>();
  const byTicket = new Map<string, Session>();
  let opened = 0;
  let timer: NodeJS.Timeout | undefined;
  const host = { close, hooks, logger };

  function close(session: Session): void {
    all.delete(session);
    expiring.delete(session);
    const { ticket } = session.identity;
    if (ticket !== undefined && byTicket.get(ticket) === session) byTicket.delete(ticket);
  }

  function watchExpiry(session: Session): void {
    if (session.identity.expiresAt === undefined) return void expiring.delete(session);
    expiring.add(session);
    timer ??= setInterval(sweep, sweepInterval).unref();
  }

  function sweep(): void {
    const now = Date.now();
    for (const session of expiring) if (session.identity.expiresAt! <= now) session.stop("token-expired");
    if (expiring.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return {
    open(parts, stop) {
      const session = new Session(++opened, parts, stop, host);
      const { ticket } = parts.identity;
      if (ticket !== undefined) {
        byTicket.get(ticket)?.stop("replaced");
        byTicket.set(ticket, session);
      }
      all.add(session);
      watchExpiry(session);
      return session;
    },
    end(match, reason) {
      const found = [...all].filter((session) => isMatch(session, match));
      for (const session of found) session.stop(reason);
      return found.length;
    },
    review(access, only) {
      for (const session of only ? [only] : all) {
        if (session.parts.right === "none") continue;
        const identity = access.review(session.identity);
        // The session's identity has not changed.
        if (identity === session.identity) continue;
        if (!identity || !keepsAccess(session, identity)) session.stop("revoked");
        else {
          session.identity = identity;
          watchExpiry(session);
        }
      }
    },
  };
}

function isMatch({ identity, number, parts }: Session, match: SessionMatch): boolean {
  if ("ticket" in match) return identity.ticket === match.ticket && number <= match.upTo;
  return identity.subject === match.subject && (match.stream === undefined || parts.stream === match.stream);
}

/** Whether the session gets exactly the same events under another grant. */
function keepsAccess({ identity: before, parts }: Session, identity: Identity): boolean {
  if (parts.right !== "none" && !permits(identity.grant, parts.right, parts.stream)) return false;
  try {
    const eventsOf = (given: Identity): string => {
      const grant = grantFor(parts, given);
      return JSON.stringify([narrow(parts.asked, grant) ?? null, grant.filter]);
    };
    return eventsOf(before) === eventsOf(identity);
  } catch {
    return false;
  }
}
