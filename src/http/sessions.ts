import type { Access } from "../access/access.ts";
import { connectionTicket, permits, type Identity } from "../access/identity.ts";
import type { Tickets } from "../access/tickets.ts";
import type { Logger } from "../util/logger.ts";
import { createClientIds } from "./client-ids.ts";
import {
  positionOf,
  type ClientList,
  type ConnectedClient,
  type ListCall,
  type SessionCalls,
  type SessionMatch,
} from "./clients.ts";
import type { ConnectionHooks } from "./connection-hooks.ts";
import { grantFor, narrow } from "./filter.ts";
import { Session, type SessionParts, type SessionTarget } from "./session.ts";

/** All sessions of a process. */
export interface Sessions extends SessionCalls {
  /** Opens a session, and ends another one with the same ticket. */
  open(parts: SessionParts): Session;
  /** Ends the waiting long polls. */
  endPolls(): void;
  /** Ends the sessions whose grant no longer covers them. Checks all sessions, or `only` one. */
  review(access: Access, only?: Session): void;
}

/** The interval at which expired credentials and sessions that have lasted long enough are detected, in ms. */
const sweepInterval = 250;

/** A list of clients ends at about this size, in characters of JSON. */
const listLength = 256 * 1024;

/** What {@link begin} checks a session against. */
interface BeginContext {
  readonly sessions: Pick<Sessions, "review">;
  readonly policy: { readonly access: Access };
  readonly tickets: Pick<Tickets, "use">;
  readonly draining: boolean;
}

/**
 * Begins a session once there is a response to end: its grant may have changed while it waited, and its ticket may be in
 * use elsewhere.
 */
export function begin(session: Session, target: SessionTarget, context: BeginContext): void {
  const { sessions, policy, tickets } = context;
  session.target = target;
  if (context.draining) return session.stop("drain");
  sessions.review(policy.access, session);
  const ticket = connectionTicket(session.identity);
  if (ticket !== undefined) tickets.use(ticket, session.number);
}

/** Creates the sessions of a process. */
export function createSessions(logger: Logger, hooks: ConnectionHooks = {}): Sessions {
  /** By their numbers, in the order in which they were opened. */
  const all = new Map<number, Session>();
  const ids = createClientIds();
  const expiring = new Set<Session>();
  const byTicket = new Map<string, Session>();
  let opened = 0;
  let latest = 0;
  let timer: NodeJS.Timeout | undefined;
  const host = { close, ids, hooks, logger };

  function close(session: Session): void {
    all.delete(session.number);
    expiring.delete(session);
    const ticket = connectionTicket(session.identity);
    if (ticket !== undefined && byTicket.get(ticket) === session) byTicket.delete(ticket);
  }

  function sessionOf(client: string): Session | undefined {
    return all.get(ids.numberOf(client) ?? 0);
  }

  function watchExpiry(session: Session): void {
    if (session.expiresAt === Infinity && session.parts.endsAt === Infinity) return void expiring.delete(session);
    expiring.add(session);
    timer ??= setInterval(sweep, sweepInterval).unref();
  }

  function sweep(): void {
    const now = Date.now();
    for (const session of expiring) {
      if (session.expiresAt <= now) session.stop("token-expired");
      else if (session.parts.endsAt <= now) session.stop("duration");
    }
    if (expiring.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return {
    open(parts) {
      latest = Math.max(latest, Date.now());
      const session = new Session(++opened, parts, latest, host);
      const ticket = connectionTicket(parts.identity);
      if (ticket !== undefined) {
        byTicket.get(ticket)?.stop("replaced");
        byTicket.set(ticket, session);
      }
      all.set(session.number, session);
      watchExpiry(session);
      return session;
    },
    end({ match, reason }) {
      if ("client" in match) {
        const session = sessionOf(match.client);
        session?.stop(reason);
        return session ? 1 : 0;
      }
      const found = [...all.values()].filter((session) => isMatch(session, match));
      for (const session of found) session.stop(reason);
      return found.length;
    },
    endPolls() {
      for (const session of all.values()) if (session.target && !session.target.sendEvent) session.stop("drain");
    },
    streamOf: ({ client }) => sessionOf(client)?.parts.stream ?? null,
    send({ client, stream, event, data }) {
      const session = sessionOf(client);
      if (!session?.target?.sendEvent || (stream !== undefined && session.parts.stream !== stream)) return "unknown";
      return session.target.sendEvent(event, data) ? "delivered" : "full";
    },
    list: (call) => listClients(all.values(), call),
    review(access, only) {
      for (const session of only ? [only] : all.values()) {
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

function isMatch({ identity, number, parts }: Session, match: Exclude<SessionMatch, { client: string }>): boolean {
  if ("ticket" in match) return identity.ticket === match.ticket && number <= match.upTo;
  return identity.subject === match.subject && (match.stream === undefined || parts.stream === match.stream);
}

/** Lists clients from sessions in the order in which they were opened. */
function listClients(sessions: Iterable<Session>, { stream, subject, after = "", limit }: ListCall): ClientList {
  const clients: ConnectedClient[] = [];
  /** The clients that were opened within the same millisecond: the order among them is that of their ids. */
  let group: ConnectedClient[] = [];
  let length = 0;
  let time = 0;
  const from = Date.parse(after.slice(0, after.indexOf(".", after.indexOf(".") + 1)));
  const isListed = ({ identity, parts, target, startedAt }: Session): boolean =>
    target?.sendEvent !== undefined &&
    (stream === undefined || parts.stream === stream) &&
    (subject === undefined || identity.subject === subject) &&
    !(startedAt < from);
  const endGroup = (): void => {
    clients.push(...group.toSorted((a, b) => (a.client < b.client ? -1 : 1)));
    group = [];
  };
  for (const session of sessions) {
    if (!isListed(session)) continue;
    const { identity, parts, startedAt, target } = session;
    if (startedAt !== time) endGroup();
    if (clients.length >= limit || length >= listLength) return { clients, more: true };
    time = startedAt;
    const filter = narrow(parts.asked, grantFor(parts, identity));
    const connectedAt = new Date(startedAt).toISOString();
    const client = { ...session.describe(filter), connectedAt, ...target!.progress!() };
    if (positionOf(client) <= after) continue;
    group.push(client);
    length += JSON.stringify(client).length;
  }
  endGroup();
  return { clients, more: false };
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
