import { SpillwayError } from "../errors.ts";
import { createTally } from "../util/tally.ts";
import type { Identity, Scope } from "./identity.ts";

/** Times in ms. */
export interface TicketRules {
  /** Maximum lifetime of a ticket. */
  readonly lifetime: number;
  /** Maximum time from its creation to its first use. */
  readonly firstUse: number;
  /** Maximum number of tickets of one subject, or of one address if anonymous. */
  readonly perSubject: number;
  /** Maximum number of unused tickets created for one address. */
  readonly perAddress: number;
  /** Maximum memory for the tickets of one subject, in bytes. */
  readonly bytes: number;
}

/** The record of a ticket, without the ticket itself. Plain JSON. */
export interface HeldTicket {
  /** Its hash. */
  readonly ticket: string;
  readonly holder: Identity;
  readonly scope: Scope;
  /** The key of the address that the ticket was created for. */
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
  /** In order of creation. */
  readonly unused: Set<Entry>;
  /** In order of their last use. */
  readonly used: Set<Entry>;
  bytes: number;
}

/** Interval between scans for expired tickets, in ms. */
const sweepEvery = 60_000;

/** Estimated memory of a ticket in addition to its text, in bytes: its objects, and its entries in maps and sets. */
const overhead = 512;

/** Maximum memory for all tickets, in bytes. */
const mostBytes = 64 * 1024 * 1024;

/** The tickets that a process holds, counted by subject and by the address that they were created for. */
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

  /** Adds an unused ticket. */
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

  /** Marks a ticket as used now: it becomes the subject's most recently used one. */
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

  /** Removes expired unused tickets and, once per interval, all other expired ones. */
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
   * Makes room for one more ticket by removing used tickets of the same subject, never those of other subjects.
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
    if (!this.hasRoom(held)) throw new SpillwayError("at-capacity", "the gateway has reached its limit of tickets");
  }
}

function tooMany(whose: string, setting: string, firstUse: number): SpillwayError {
  const seconds = firstUse / 1000;
  const limit = `access.tickets: ${setting}`;
  const message = `this ${whose} has reached its limit of tickets (${limit}); unused ones expire after ${seconds} s`;
  return new SpillwayError("too-many-tickets", message, { retryAfter: Math.ceil(seconds) });
}

/** The account that a ticket counts for: its subject or, for anonymous clients, its address. */
function accountOf({ holder: { subject }, address = "" }: HeldTicket): string {
  return subject === "anonymous" ? `a ${address}` : `s ${subject}`;
}

function sizeOf(held: HeldTicket): number {
  return overhead + JSON.stringify(held).length;
}
