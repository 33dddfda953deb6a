import { createHash, randomBytes } from "node:crypto";
import { SpillwayError } from "../errors.ts";
import { addressKey } from "../util/ip-address.ts";
import { HeldTickets, type HeldTicket, type TicketEntry, type TicketRules } from "./held-tickets.ts";
import { narrowGrant, type Identity, type Scope } from "./identity.ts";

/** What a ticket is made for. */
export interface TicketRequest extends Scope {
  readonly holder: Identity;
  /** Address of the client that requests the ticket, if known. */
  readonly address?: string | undefined;
}

export interface Ticket {
  /** Unguessable bearer secret: its holder has the rights that it grants. */
  readonly ticket: string;
  /** When it ends, ms since 1970: with its holder's credential, at the latest after `lifetime`. */
  readonly expiresAt: number;
}

/** The tickets that were given out. */
export interface Tickets {
  /**
   * Makes a ticket for subscribing. Beyond the bounds of its subject, the subject's used ticket goes that was not used for longest.
   * @throws {SpillwayError} `access-denied` for more than the holder has, and for who has but a ticket; `too-many-tickets` where the
   * subject or the address has too many that are unused; `at-capacity`.
   */
  issue(request: TicketRequest): Ticket | Promise<Ticket>;
  /**
   * The identity behind a ticket, with its `ticket` and `scope` set: its holder's, narrowed to what it was made for.
   * @throws {SpillwayError} `ticket-invalid` for one that is unknown, expired, or was not used soon enough.
   */
  redeem(ticket: string): Identity | Promise<Identity>;
  /**
   * Says that a connection with the ticket was let in and opened: from here on it is used, and a connection with it in another process
   * ends. `number` tells connections of this process from each other; later ones have higher ones.
   * @param ticket by its hash
   */
  use(ticket: string, number: number): void;
  /** Forgets the tickets of those who no longer count; `keep` says what becomes of a holder. */
  review(keep: (holder: Identity) => Identity | undefined): void;
}

export interface TicketsOptions extends TicketRules {
  /** Tickets of all subjects. Beyond it none is made. Default: 100,000. */
  readonly most?: number;
  /** The time, in ms since 1970. Default: the clock's. */
  readonly now?: () => number;
}

/** Tickets of one process: they are issued and redeemed at once. */
export interface LocalTickets extends Tickets {
  issue(request: TicketRequest): Ticket;
  redeem(ticket: string): Identity;
  use(ticket: string): void;
  /** What is known of one that is held, by its hash; the same object for as long as it is held. */
  entryOf(id: string): TicketEntry | undefined;
  /** Takes one that was issued elsewhere, if there is room. Idempotent. */
  hold(held: HeldTicket): void;
  /** Other rules from now on; a ticket that was given out keeps its end. */
  change(rules: TicketRules): void;
}

/** Not that of keys, or the dice could make a ticket that is taken for one. */
const prefix = "spt_";

/** Makes a holder of tickets that is empty. */
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
  { holder, address, stream, channels }: TicketRequest,
  ticket: string,
  issuedAt: number,
  lifetime: number,
): HeldTicket {
  if (holder.ticket !== undefined) throw new SpillwayError("access-denied", "a ticket brings no further tickets");
  const scope = { stream, channels };
  if (!narrowGrant(holder.grant, scope)) {
    throw new SpillwayError("access-denied", "the ticket would allow more than is granted");
  }
  const expiresAt = Math.min(holder.expiresAt ?? Infinity, issuedAt + lifetime);
  return { ticket, holder, scope, address: address && addressKey(address), issuedAt, expiresAt };
}

/** The holder as the ticket shows him. */
function identityOf({ ticket, holder, scope, expiresAt }: HeldTicket): Identity | undefined {
  const grant = narrowGrant(holder.grant, scope);
  return grant && { ...holder, grant, expiresAt, ticket, scope };
}

/** The hash that a ticket is known by. */
export function ticketId(ticket: string): string {
  return createHash("sha256").update(ticket).digest("base64url");
}
