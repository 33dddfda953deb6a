import { randomUUID } from "node:crypto";
import type { HeldTicket, TicketEntry, TicketRules } from "../access/held-tickets.ts";
import type { Identity } from "../access/identity.ts";
import { ticketId, type LocalTickets, type Ticket, type TicketRequest, type Tickets } from "../access/tickets.ts";
import { SpillwayError } from "../errors.ts";
import type { SessionMatch } from "../http/sessions.ts";
import type { Log, LogEvent, LogStore } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import { LogFollower } from "./log-follower.ts";

/** The log of the tickets; no stream can have that name. */
export const ticketLog = "_tickets";

export interface SharedTicketsOptions {
  readonly store: LogStore;
  /** The longest that a ticket can be used, in ms. */
  readonly lifetime: number;
  /** Ends the sessions here of a ticket that is used on another node. */
  end(match: SessionMatch): void;
  readonly logger: Logger;
}

/** What nodes tell each other of a ticket, as it stands in the log: its hash and what it grants, not the ticket. */
interface TicketRecord {
  readonly held: HeldTicket;
  /** The connection that was opened with it; absent when it is issued. */
  readonly use?: { readonly node: string; readonly number: number };
}

/** How much of the log is kept at most: about as many tickets as a node holds. */
const logBytes = 64 * 1024 * 1024;

/**
 * Tickets that every node takes which shares the store. The nodes tell each other by a log, which each of them follows from the first
 * ticket on that it has to do with: one that is issued is known everywhere at once, and that it is used, a moment later.
 */
export class SharedTickets implements Tickets {
  readonly #local: LocalTickets;
  readonly #options: SharedTicketsOptions;
  readonly #node = randomUUID();
  /** The last connection of this node with a ticket that all nodes know of. Forgotten with the ticket. */
  readonly #told = new WeakMap<TicketEntry, number>();
  #lifetime: number;
  #following: Promise<LogFollower> | undefined;

  /** Shares what `local` holds. */
  constructor(local: LocalTickets, options: SharedTicketsOptions) {
    this.#local = local;
    this.#options = options;
    this.#lifetime = options.lifetime;
  }

  async issue(request: TicketRequest): Promise<Ticket> {
    const issued = this.#local.issue(request);
    await this.#tell({ held: this.#local.entryOf(ticketId(issued.ticket))!.held });
    return issued;
  }

  async redeem(ticket: string): Promise<Identity> {
    try {
      return this.#local.redeem(ticket);
    } catch (error) {
      if (!(error instanceof SpillwayError && error.code === "ticket-invalid")) throw error;
      const follower = await this.#follow();
      await follower.catchUp();
      return this.#local.redeem(ticket);
    }
  }

  use(ticket: string, number: number): void {
    this.#local.use(ticket);
    const entry = this.#local.entryOf(ticket);
    if (!entry) return;
    this.#tell({ held: entry.held, use: { node: this.#node, number } }).catch((error: unknown) =>
      this.#options.logger.warn({ err: error }, "other nodes were not told of the use of a ticket"),
    );
  }

  review(keep: (holder: Identity) => Identity | undefined): void {
    this.#local.review(keep);
  }

  /** As of {@link LocalTickets}. */
  change(rules: TicketRules): void {
    this.#local.change(rules);
    if (rules.lifetime === this.#lifetime) return;
    this.#lifetime = rules.lifetime;
    this.#following
      ?.then(() => this.#open())
      .catch((error: unknown) => this.#options.logger.warn({ err: error }, "tickets are kept for as long as before"));
  }

  /** The log was lost: goes on with the one that has taken its place. What is known here stays known. */
  renew(): void {
    this.stop();
    this.#following = undefined;
  }

  /** Follows the others no more. */
  stop(): void {
    this.#following?.then((follower) => follower.stop()).catch(() => {});
  }

  async #tell(record: TicketRecord): Promise<void> {
    const { log } = await this.#follow();
    const event = { event: "ticket", data: JSON.stringify(record), channel: undefined, upstreamId: undefined };
    await log.append([event]);
  }

  #follow(): Promise<LogFollower> {
    if (this.#following) return this.#following;
    const following = this.#startFollower();
    this.#following = following;
    following.catch(() => {
      // Whoever needs it next tries again.
      if (this.#following === following) this.#following = undefined;
    });
    return following;
  }

  async #startFollower(): Promise<LogFollower> {
    let isNew = false;
    const take = ({ data }: LogEvent): void => this.#take(JSON.parse(data) as TicketRecord, isNew);
    const follower = new LogFollower(await this.#open(), take, this.#options.logger);
    await follower.start();
    isNew = true;
    return follower;
  }

  #open(): Promise<Log> {
    const retention = { age: this.#lifetime, events: undefined, bytes: logBytes };
    return this.#options.store.open(ticketLog, { retention });
  }

  /** What was said before this node began to follow ends nothing here. */
  #take({ held, use }: TicketRecord, isNew: boolean): void {
    this.#local.hold(held);
    if (!use) return;
    const { ticket } = held;
    this.#local.use(ticket);
    const entry = this.#local.entryOf(ticket);
    if (!isNew || !entry) return;
    const before = this.#told.get(entry);
    this.#told.delete(entry);
    if (use.node === this.#node) this.#told.set(entry, use.number);
    // The log says who was last: a connection that it does not know of yet stays, and ends the other one when it does.
    else if (before !== undefined) this.#options.end({ ticket, upTo: before });
  }
}
