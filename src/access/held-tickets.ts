import { SpillwayError } from "../errors.ts";
import { createTally } from "../util/tally.ts";
import type { Identity, Scope } from "./identity.ts";

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

/** What is known of a ticket: not the ticket. Plain JSON. */
export interface HeldTicket {
  /** Its hash. */
  readonly ticket: string;
  readonly holder: Identity;
  readonly scope: Scope;
  /** Represents the address that the ticket was made for. */
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

/** Interval between scans for ended tickets, in ms. */
const sweepEvery = 60_000;

/** What a ticket takes beside its text, in bytes: an estimate of its objects and its places in maps and sets. */
const overhead = 512;

/** What all tickets may take, in bytes. */
const mostBytes = 64 * 1024 * 1024;

/** The tickets that a process holds, counted by their subject and by the address that they were made for. */
export class HeldTickets {
  rules: TicketRules;
  readonly #most: number;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #accounts = new Map<string, Account>();
  // In order of creation, which is the order of expiry. No timers: an expired ticket is detected when it is used.
  readonly #unused = new Set<Entry>();
  readonly #addresses = createTally();
  #bytes = 0;
  #sweptAt: number;

  constructor(rules: TicketRules, most: number, now: () => number) {
    this.rules = rules;
    this.#most = most;
    this.#now = now;
    this.#sweptAt = now();
  }

  get(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  all(): Iterable<Entry> {
    return this.#entries.values();
  }

  isOver(entry: Entry): boolean {
    const { expiresAt, issuedAt } = entry.held;
    return expiresAt <= this.#now() || (this.#unused.has(entry) && issuedAt + this.rules.firstUse <= this.#now());
  }

  /** Adds an unused one. */
  add(held: HeldTicket): void {
    const key = accountOf(held);
    const account = this.#accounts.get(key) ?? { key, unused: new Set(), used: new Set(), bytes: 0 };
    const entry: Entry = { held, account, bytes: sizeOf(held) };
    this.#accounts.set(key, account);
    this.#entries.set(held.ticket, entry);
    account.unused.add(entry);
    account.bytes += entry.bytes;
    this.#bytes += entry.bytes;
    this.#unused.add(entry);
    if (held.address !== undefined) this.#addresses.add(held.address);
  }

  /** It is in use from here on; behind all others of its subject. */
  use(entry: Entry): void {
    this.#leaveUnused(entry);
    entry.account.used.delete(entry);
    entry.account.used.add(entry);
  }

  remove(entry: Entry): void {
    const { account } = entry;
    this.#entries.delete(entry.held.ticket);
    this.#leaveUnused(entry);
    account.used.delete(entry);
    account.bytes -= entry.bytes;
    this.#bytes -= entry.bytes;
    if (account.unused.size + account.used.size === 0) this.#accounts.delete(account.key);
  }

  #leaveUnused(entry: Entry): void {
    if (!this.#unused.delete(entry)) return;
    entry.account.unused.delete(entry);
    if (entry.held.address !== undefined) this.#addresses.remove(entry.held.address);
  }

  /** Removes expired tickets, and periodically those that ended otherwise. */
  sweep(): void {
    for (const entry of this.#unused) {
      if (!this.isOver(entry)) break;
      this.remove(entry);
    }
    if (this.#now() < this.#sweptAt + sweepEvery) return;
    this.#sweptAt = this.#now();
    for (const entry of this.#entries.values()) if (this.isOver(entry)) this.remove(entry);
  }

  hasRoom(held: HeldTicket): boolean {
    return this.#entries.size < this.#most && this.#bytes + sizeOf(held) <= mostBytes;
  }

  /**
   * Makes room for one more. Nothing is taken from other subjects: theirs are not the price of this one's.
   * @throws {SpillwayError} `too-many-tickets`, `at-capacity`.
   */
  makeRoom(held: HeldTicket): void {
    const { perSubject, perAddress, bytes, firstUse } = this.rules;
    const size = sizeOf(held);
    const account = this.#accounts.get(accountOf(held));
    const isFull = (): boolean =>
      account !== undefined && (account.unused.size + account.used.size >= perSubject || account.bytes + size > bytes);
    for (const entry of account?.used ?? []) {
      if (!isFull()) break;
      this.remove(entry);
    }
    if (size > bytes || isFull()) throw tooMany("subject", "perSubject, bytes", firstUse);
    if (held.address !== undefined && this.#addresses.of(held.address) >= perAddress) {
      throw tooMany("address", "perAddress", firstUse);
    }
    if (!this.hasRoom(held)) throw new SpillwayError("at-capacity", "the gateway holds as many tickets as it may");
  }
}

function tooMany(whose: string, setting: string, firstUse: number): SpillwayError {
  const seconds = firstUse / 1000;
  const message = `this ${whose} has as many tickets as access.tickets allows (${setting}); unused ones lapse after ${seconds} s`;
  return new SpillwayError("too-many-tickets", message, { retryAfter: Math.ceil(seconds) });
}

/** Whose bounds a ticket counts for. Clients without a subject are told from each other by their address. */
function accountOf({ holder: { subject }, address = "" }: HeldTicket): string {
  return subject === "anonymous" ? `a ${address}` : `s ${subject}`;
}

function sizeOf(held: HeldTicket): number {
  return overhead + JSON.stringify(held).length;
}
