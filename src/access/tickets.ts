import { createHash, randomBytes } from "node:crypto";
import { SpillwayError } from "../errors.ts";
import type { Identity } from "./identity.ts";
import { narrowGrant, renewScoped, type Scope } from "./narrow.ts";

/** What a ticket is made for. */
export interface TicketRequest extends Scope {
  readonly holder: Identity;
}

export interface Ticket {
  /** Unguessable; whoever has it has what it grants. */
  readonly ticket: string;
  /** When it ends, ms since 1970: with its holder's credential, at the latest after `lifetime`. */
  readonly expiresAt: number;
}

/** The tickets that were given out. */
export interface Tickets {
  /**
   * Makes a ticket for subscribing.
   * @throws {SpillwayError} `access-denied` for more than the holder has, and for who has but a ticket.
   */
  issue(request: TicketRequest): Ticket | Promise<Ticket>;
  /**
   * The identity behind a ticket, with its `ticket` and `scope` set: its holder's, narrowed to what it was made for.
   * @throws {SpillwayError} `ticket-invalid` for one that is unknown, expired, or was not used soon enough.
   */
  redeem(ticket: string): Identity | Promise<Identity>;
  /**
   * Says that a connection with the ticket was opened, so that one in another process ends. `number` tells connections of this process
   * from each other; later ones have higher ones. Absent where there is but one process.
   */
  use?(ticket: string, number: number): void;
  /** Forgets the tickets of those who no longer count; `keep` says what becomes of a holder. */
  review(keep: (holder: Identity) => Identity | undefined): void;
}

export interface TicketTimes {
  /** The longest that a ticket can be used, in ms. */
  readonly lifetime: number;
  /** From its making to its first use, in ms. */
  readonly firstUse: number;
}

export interface TicketsOptions extends TicketTimes {
  /** Tickets of either kind, unused and used, that are held at most; beyond it the one goes that was not touched for longest. Default: 100,000. */
  readonly most?: number;
  /** The time, in ms since 1970. Default: the clock's. */
  readonly now?: () => number;
}

/** Tickets of one process: they are issued and redeemed at once. */
export interface LocalTickets extends Tickets {
  issue(request: TicketRequest): Ticket;
  redeem(ticket: string): Identity;
  /** What is known of one that is held, by its hash. */
  heldOf(id: string): HeldTicket | undefined;
  /** Takes one that was issued elsewhere. Idempotent. */
  hold(held: HeldTicket): void;
  /** One that is held was used elsewhere. */
  markUsed(id: string): void;
  /** Other times from now on; a ticket that was given out keeps its end. */
  change(times: TicketTimes): void;
}

/** What is known of a ticket: not the ticket. Plain JSON. */
export interface HeldTicket {
  readonly holder: Identity;
  /** The holder as the ticket shows him, with its hash. */
  readonly identity: Identity & { readonly expiresAt: number; readonly ticket: string };
  /** ms since 1970. */
  readonly issuedAt: number;
}

/** Not that of keys, or the dice could make a ticket that is taken for one. */
const prefix = "spt_";

/** How often tickets are looked through for those that have ended, in ms. */
const sweepEvery = 60_000;

/** Makes a holder of tickets that is empty. */
export function createTickets({ most = 100_000, now = Date.now, ...first }: TicketsOptions): LocalTickets {
  let times: TicketTimes = first;
  // By the hash of the ticket, each in the order of its last touch. No timers: who is late is found out when he comes.
  const unused = new Map<string, HeldTicket>();
  const used = new Map<string, HeldTicket>();
  let sweptAt = now();
  const isOver = (id: string, { identity, issuedAt }: HeldTicket): boolean =>
    identity.expiresAt <= now() || (unused.has(id) && issuedAt + times.firstUse <= now());
  const sweep = (): void => {
    if (now() < sweptAt + sweepEvery) return;
    sweptAt = now();
    for (const tickets of [unused, used]) {
      for (const [id, held] of tickets) if (isOver(id, held)) tickets.delete(id);
    }
  };
  const heldOf = (id: string): HeldTicket | undefined => unused.get(id) ?? used.get(id);
  const markUsed = (id: string): void => {
    const held = heldOf(id);
    unused.delete(id);
    if (held) putLast(used, held, most);
  };
  return {
    issue(request) {
      sweep();
      const ticket = prefix + randomBytes(32).toString("base64url");
      const held = makeHeld(request, ticketId(ticket), now(), times.lifetime);
      putLast(unused, held, most);
      return { ticket, expiresAt: held.identity.expiresAt };
    },
    redeem(ticket) {
      sweep();
      const id = ticketId(ticket);
      const held = heldOf(id);
      if (!held || isOver(id, held)) throw new SpillwayError("ticket-invalid");
      markUsed(id);
      return held.identity;
    },
    heldOf,
    hold(held) {
      if (!heldOf(held.identity.ticket)) putLast(unused, held, most);
    },
    markUsed,
    change(next) {
      times = next;
    },
    review(keep) {
      for (const tickets of [unused, used]) {
        for (const [id, held] of tickets) {
          const holder = keep(held.holder);
          const identity = holder && renewScoped(held.identity, holder);
          if (identity) tickets.set(id, { ...held, holder, identity });
          else tickets.delete(id);
        }
      }
    },
  };
}

function makeHeld({ holder, ...scope }: TicketRequest, ticket: string, issuedAt: number, lifetime: number): HeldTicket {
  if (holder.ticket !== undefined) throw new SpillwayError("access-denied", "a ticket brings no further tickets");
  const grant = narrowGrant(holder.grant, scope);
  if (!grant) throw new SpillwayError("access-denied", "the ticket would allow more than is granted");
  const expiresAt = Math.min(holder.expiresAt ?? Infinity, issuedAt + lifetime);
  return { holder, issuedAt, identity: { ...holder, grant, expiresAt, ticket, scope } };
}

/** The hash that a ticket is known by. */
export function ticketId(ticket: string): string {
  return createHash("sha256").update(ticket).digest("base64url");
}

/** Puts an entry behind all others; the first go if there are too many. */
function putLast(tickets: Map<string, HeldTicket>, held: HeldTicket, most: number): void {
  const { ticket: id } = held.identity;
  tickets.delete(id);
  tickets.set(id, held);
  for (const first of tickets.keys()) {
    if (tickets.size <= most) break;
    tickets.delete(first);
  }
}
