import { createHash, randomBytes } from "node:crypto";
import { SpillwayError } from "../errors.ts";
import { addressKey } from "../util/ip-address.ts";
import { HeldTickets, type HeldTicket, type TicketEntry, type TicketRules } from "./held-tickets.ts";
import { narrowGrant, type Identity, type Scope } from "./identity.ts";

/** The holder and scope of a new ticket. */
export type TicketRequest = Scope & {
  readonly holder: Identity;
  /** Address of the client that requests the ticket, if known. */
  readonly address?: string | undefined;
};

export interface Ticket {
  /** Unguessable bearer secret: its holder has the rights that it grants. */
  readonly ticket: string;
  /** When it expires, ms since 1970: with its holder's credential, at the latest after `lifetime`. */
  readonly expiresAt: number;
}

/** Issues and redeems tickets. */
export interface Tickets {
  /**
   * Issues a ticket. Beyond the limits of its subject, the subject's least recently used ticket is
   * removed.
   * @throws {SpillwayError} `access-denied` if the scope exceeds the holder's rights, or the holder itself used a
   * ticket; `too-many-tickets` if the subject or the address has too many unused tickets; `at-capacity`.
   */
  issue(request: TicketRequest): Ticket | Promise<Ticket>;
  /**
   * The identity of a ticket: its holder's, narrowed to the ticket's scope, with `ticket` and `scope` set.
   * @throws {SpillwayError} `ticket-invalid` if it is unknown, has expired, or was not used in time.
   */
  redeem(ticket: string): Identity | Promise<Identity>;
  /**
   * Marks a ticket as used by a connection that was admitted and opened. A connection with the same ticket in another
   * process is closed.
   * @param ticket the hash of the ticket
   * @param number identifies the connection in this process; later connections have higher numbers
   */
  use(ticket: string, number: number): void;
  /** Ends a ticket before it expires. `ticket`: its hash. */
  revoke(ticket: string): Promise<void> | void;
  /** Updates the holders of all tickets by `keep`, and removes tickets whose holder is no longer valid. */
  review(keep: (holder: Identity) => Identity | undefined): void;
}

export interface TicketsOptions extends TicketRules {
  /** Maximum number of tickets of all subjects; beyond it no ticket is issued. Default: 100,000. */
  readonly most?: number;
  /** The current time, in ms since 1970. Default: `Date.now`. */
  readonly now?: () => number;
}

/** Tickets held by this process: issuing and redeeming is synchronous. */
export interface LocalTickets extends Tickets {
  issue(request: TicketRequest): Ticket;
  redeem(ticket: string): Identity;
  use(ticket: string): void;
  revoke(ticket: string): void;
  /** The entry of a held ticket, by its hash; the same object for as long as the ticket is held. */
  entryOf(id: string): TicketEntry | undefined;
  /** Adds a ticket that was issued elsewhere, if there is room. Idempotent. */
  hold(held: HeldTicket): void;
  /** Changes the rules. Tickets that were already issued keep their expiry. */
  change(rules: TicketRules): void;
}

/** Distinct from the prefix of keys, so that a ticket is never taken for a key. */
const prefix = "spt_";

/** Makes a {@link LocalTickets} without tickets. */
export function createTickets({ most = 100_000, now = Date.now, ...rules }: TicketsOptions): LocalTickets {
  const tickets = new HeldTickets(rules, most, now);
  return {
    issue(request) {
      tickets.sweep();
      const ticket = prefix + randomBytes(32).toString("base64url");
      const held = makeHeld(request, ticketId(ticket), now(), tickets.rules.lifetime);
      tickets.makeRoom(held);
      tickets.add(held);
      return { ticket, expiresAt: held.expiresAt };
    },
    redeem(ticket) {
      tickets.sweep();
      const entry = tickets.get(ticketId(ticket));
      const identity = entry && !tickets.isOver(entry) ? identityOf(entry.held) : undefined;
      if (!identity) throw new SpillwayError("ticket-invalid");
      return identity;
    },
    use(id) {
      const entry = tickets.get(id);
      if (entry) tickets.use(entry);
    },
    revoke(id) {
      const entry = tickets.get(id);
      if (entry) tickets.remove(entry);
    },
    entryOf: (id) => tickets.get(id),
    hold(held) {
      tickets.sweep();
      if (!tickets.get(held.ticket) && tickets.hasRoom(held)) tickets.add(held);
    },
    change(next) {
      tickets.rules = next;
    },
    review(keep) {
      for (const entry of tickets.all()) {
        const { held } = entry;
        const holder = keep(held.holder);
        if (!holder || !narrowGrant(holder.grant, held.scope)) tickets.remove(entry);
        else entry.held = { ...held, holder, expiresAt: Math.min(held.expiresAt, holder.expiresAt ?? Infinity) };
      }
    },
  };
}

function makeHeld(
  { holder, address, ...scope }: TicketRequest,
  ticket: string,
  issuedAt: number,
  lifetime: number,
): HeldTicket {
  if (holder.ticket !== undefined)
    throw new SpillwayError("access-denied", "a ticket cannot be used to get another ticket");
  if (!narrowGrant(holder.grant, scope)) {
    throw new SpillwayError(
      "access-denied",
      "the ticket's stream, channels, route or dashboard exceed what is granted",
    );
  }
  const expiresAt = Math.min(holder.expiresAt ?? Infinity, issuedAt + lifetime);
  return { ticket, holder, scope, address: address && addressKey(address), issuedAt, expiresAt };
}

/** The holder's identity, narrowed to the ticket's scope. */
function identityOf({ ticket, holder, scope, expiresAt }: HeldTicket): Identity | undefined {
  const grant = narrowGrant(holder.grant, scope);
  return grant && { ...holder, grant, expiresAt, ticket, scope };
}

/** The hash that identifies a ticket. */
export function ticketId(ticket: string): string {
  return createHash("sha256").update(ticket).digest("base64url");
}
