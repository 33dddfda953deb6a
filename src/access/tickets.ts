import { createHash, randomBytes } from "node:crypto";
import { SpillwayError } from "../errors.ts";
import { addressKey } from "../util/address-key.ts";
import { createTally } from "../util/tally.ts";
import type { Identity } from "./identity.ts";
import { narrowGrant, type Scope } from "./narrow.ts";

/** What a ticket is made for. */
export interface TicketRequest extends Scope {
  readonly holder: Identity;
  /** The address that asks for it, if it is known. */
  readonly address?: string | undefined;
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

/** Times in ms. */
export interface TicketRules {
  /** The longest that a ticket can be used. */
  readonly lifetime: number;
  /** From its making to its first use. */
  readonly firstUse: number;
  /** Tickets of one subject, or of one address without a subject. */
  readonly perSubject: number;
  /** Unused tickets that were made for one address. */
  readonly perAddress: number;
  /** What the tickets of one subject may take, in bytes. */
  readonly bytes: number;
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

/** What is known of a ticket: not the ticket. Plain JSON. */
export interface HeldTicket {
  /** Its hash. */
  readonly ticket: string;
  readonly holder: Identity;
  readonly scope: Scope;
  /** What stands for the address that it was made for. */
  readonly address: string | undefined;
  /** ms since 1970, as is `expiresAt`. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** A ticket that is held. */
export interface TicketEntry {
  readonly held: HeldTicket;
}

interface Entry extends TicketEntry {
  held: HeldTicket;
  readonly account: Account;
  readonly bytes: number;
}

/** All tickets of one subject. */
interface Account {
  readonly key: string;
  /** In the order of their making. */
  readonly unused: Set<Entry>;
  /** In the order of their last use. */
  readonly used: Set<Entry>;
  bytes: number;
}

/** Not that of keys, or the dice could make a ticket that is taken for one. */
const prefix = "spt_";

/** How often tickets are looked through for those that have ended, in ms. */
const sweepEvery = 60_000;

/** What a ticket takes beside its text, in bytes: measured 480 to 560. */
const overhead = 512;

/** What all tickets may take, in bytes. */
const mostBytes = 64 * 1024 * 1024;

/** Makes a holder of tickets that is empty. */
export function createTickets({ most = 100_000, now = Date.now, ...first }: TicketsOptions): LocalTickets {
  let rules: TicketRules = first;
  const entries = new Map<string, Entry>();
  const accounts = new Map<string, Account>();
  // In the order of their making, which is that in which they lapse. No timers: who is late is found out when he comes.
  const unused = new Set<Entry>();
  const addresses = createTally();
  let bytes = 0;
  let sweptAt = now();

  const isOver = (entry: Entry): boolean =>
    entry.held.expiresAt <= now() || (unused.has(entry) && entry.held.issuedAt + rules.firstUse <= now());

  function add(held: HeldTicket): Entry {
    const key = accountOf(held);
    const account = accounts.get(key) ?? { key, unused: new Set(), used: new Set(), bytes: 0 };
    const entry: Entry = { held, account, bytes: sizeOf(held) };
    accounts.set(key, account);
    entries.set(held.ticket, entry);
    account.unused.add(entry);
    account.bytes += entry.bytes;
    bytes += entry.bytes;
    unused.add(entry);
    if (held.address !== undefined) addresses.add(held.address);
    return entry;
  }

  function leaveUnused(entry: Entry): void {
    if (!unused.delete(entry)) return;
    entry.account.unused.delete(entry);
    if (entry.held.address !== undefined) addresses.remove(entry.held.address);
  }

  function remove(entry: Entry): void {
    const { account } = entry;
    entries.delete(entry.held.ticket);
    leaveUnused(entry);
    account.used.delete(entry);
    account.bytes -= entry.bytes;
    bytes -= entry.bytes;
    if (account.unused.size + account.used.size === 0) accounts.delete(account.key);
  }

  function sweep(): void {
    for (const entry of unused) {
      if (!isOver(entry)) break;
      remove(entry);
    }
    if (now() < sweptAt + sweepEvery) return;
    sweptAt = now();
    for (const entry of entries.values()) if (isOver(entry)) remove(entry);
  }

  /** Nothing is taken from other subjects: theirs are not the price of this one's. */
  function makeRoom(held: HeldTicket): void {
    const size = sizeOf(held);
    const account = accounts.get(accountOf(held));
    const isFull = (): boolean =>
      account !== undefined &&
      (account.unused.size + account.used.size >= rules.perSubject || account.bytes + size > rules.bytes);
    for (const entry of isFull() ? account!.used : []) {
      if (!isFull()) break;
      remove(entry);
    }
    if (size > rules.bytes || isFull()) throw tooMany("subject", rules);
    if (held.address !== undefined && addresses.of(held.address) >= rules.perAddress) throw tooMany("address", rules);
    if (!hasRoom(size)) throw new SpillwayError("at-capacity", "the gateway holds as many tickets as it may");
  }

  const hasRoom = (size: number): boolean => entries.size < most && bytes + size <= mostBytes;

  return {
    issue(request) {
      sweep();
      const ticket = prefix + randomBytes(32).toString("base64url");
      const held = makeHeld(request, ticketId(ticket), now(), rules.lifetime);
      makeRoom(held);
      add(held);
      return { ticket, expiresAt: held.expiresAt };
    },
    redeem(ticket) {
      sweep();
      const entry = entries.get(ticketId(ticket));
      const identity = entry && !isOver(entry) ? identityOf(entry.held) : undefined;
      if (!identity) throw new SpillwayError("ticket-invalid");
      return identity;
    },
    use(id) {
      const entry = entries.get(id);
      if (!entry) return;
      leaveUnused(entry);
      // Behind all others.
      entry.account.used.delete(entry);
      entry.account.used.add(entry);
    },
    entryOf: (id) => entries.get(id),
    hold(held) {
      sweep();
      if (!entries.has(held.ticket) && hasRoom(sizeOf(held))) add(held);
    },
    change(next) {
      rules = next;
    },
    review(keep) {
      for (const entry of entries.values()) {
        const holder = keep(entry.held.holder);
        if (!holder || !narrowGrant(holder.grant, entry.held.scope)) remove(entry);
        else {
          const expiresAt = Math.min(entry.held.expiresAt, holder.expiresAt ?? Infinity);
          entry.held = { ...entry.held, holder, expiresAt };
        }
      }
    },
  };
}

function tooMany(whose: "subject" | "address", { firstUse }: TicketRules): SpillwayError {
  const limit = whose === "subject" ? "perSubject and bytes" : "perAddress";
  const message = `this ${whose} has as many tickets as access.tickets allows (${limit}); unused ones lapse after ${firstUse / 1000} s`;
  return new SpillwayError("too-many-tickets", message, { retryAfter: Math.ceil(firstUse / 1000) });
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

/** Whose bounds a ticket counts for. Clients without a subject are told from each other by their address. */
function accountOf({ holder: { subject }, address = "" }: HeldTicket): string {
  return subject === "anonymous" ? `a ${address}` : `s ${subject}`;
}

function sizeOf(held: HeldTicket): number {
  return overhead + JSON.stringify(held).length;
}

/** The hash that a ticket is known by. */
export function ticketId(ticket: string): string {
  return createHash("sha256").update(ticket).digest("base64url");
}
