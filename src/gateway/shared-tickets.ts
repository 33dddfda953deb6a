import { randomUUID } from "node:crypto";
import type { HeldTicket, TicketEntry, TicketRules } from "../access/held-tickets.ts";
import type { Identity } from "../access/identity.ts";
import { ticketId, type LocalTickets, type Ticket, type TicketRequest, type Tickets } from "../access/tickets.ts";
import { SpillwayError } from "../errors.ts";
import type { SessionMatch } from "../http/clients.ts";
import type { Log, LogEvent, LogStore } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import { LogFollower } from "../hub/log-follower.ts";

/** The name of the log for tickets. No stream can have this name. */
export const ticketLog = "_tickets";

export interface SharedTicketsOptions {
  readonly store: LogStore;
  /** How long a ticket is valid at most, in ms. */
  readonly lifetime: number;
  /** Ends this node's sessions of a ticket that was used on another node. */
  end(match: SessionMatch): void;
  readonly logger: Logger;
}

/** A ticket as recorded in the log for the other nodes: its hash and what it grants, never the ticket itself. */
interface TicketRecord {
  readonly held: HeldTicket;
  /** The connection that was opened with the ticket; absent in the record of its issue. */
  readonly use?: { readonly node: string; readonly number: number };
  /** Whether it was ended before it expires. */
  readonly revoked?: true;
}

/** The size limit of the log in bytes: about as many tickets as a node holds. */
const logBytes = 64 * 1024 * 1024;

/**
 * Tickets that are valid on every node that shares the store. Nodes record issued and used tickets in a log. Each node
 * follows it from the first ticket that it issues or receives. An issued ticket is valid on every node at once; its use
 * becomes known to the other nodes shortly afterwards.
 */
export class SharedTickets implements Tickets {
  readonly #local: LocalTickets;
  readonly #options: SharedTicketsOptions;
  readonly #node = randomUUID();
  /** The last connection of this node with a ticket, as recorded in the log. Forgotten with the ticket. */
  readonly #recorded = new WeakMap<TicketEntry, number>();
  #lifetime: number;
  #following: Promise<LogFollower> | undefined;

  /** Shares the tickets of `local`. */
  constructor(local: LocalTickets, options: SharedTicketsOptions) {
    this.#local = local;
    this.#options = options;
    this.#lifetime = options.lifetime;
  }

  async issue(request: TicketRequest): Promise<Ticket> {
    const issued = this.#local.issue(request);
    await this.#record({ held: this.#local.entryOf(ticketId(issued.ticket))!.held });
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
    this.#record({ held: entry.held, use: { node: this.#node, number } }).catch((error: unknown) =>
      this.#options.logger.warn({ err: error }, "the use of a ticket could not be recorded for other nodes"),
    );
  }

  async revoke(ticket: string): Promise<void> {
    const entry = this.#local.entryOf(ticket);
    this.#local.revoke(ticket);
    if (entry) await this.#record({ held: entry.held, revoked: true });
  }

  review(keep: (holder: Identity) => Identity | undefined): void {
    this.#local.review(keep);
  }

  /** See {@link LocalTickets}. */
  change(rules: TicketRules): void {
    this.#local.change(rules);
    if (rules.lifetime === this.#lifetime) return;
    this.#lifetime = rules.lifetime;
    this.#following
      ?.then(() => this.#open())
      .catch((error: unknown) =>
        this.#options.logger.warn({ err: error }, "the retention of shared tickets could not be changed"),
      );
  }

  /** Switches to the new log after the store lost the old one. Tickets known to this node stay valid. */
  renew(): void {
    this.stop();
    this.#following = undefined;
  }

  /** Stops following the log. */
  stop(): void {
    this.#following?.then((follower) => follower.stop()).catch(() => {});
  }

  async #record(record: TicketRecord): Promise<void> {
    const { log } = await this.#follow();
    const event = { event: "ticket", data: JSON.stringify(record), channel: undefined, upstreamId: undefined };
    await log.append([event]);
  }

  #follow(): Promise<LogFollower> {
    if (this.#following) return this.#following;
    const following = this.#startFollower();
    this.#following = following;
    following.catch(() => {
      // The next call tries again.
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

  /** Applies a record. Records from before this node began to follow end no session. */
  #take({ held, use, revoked }: TicketRecord, isNew: boolean): void {
    if (revoked) return this.#local.revoke(held.ticket);
    this.#local.hold(held);
    if (!use) return;
    const { ticket } = held;
    this.#local.use(ticket);
    const entry = this.#local.entryOf(ticket);
    if (!isNew || !entry) return;
    const before = this.#recorded.get(entry);
    this.#recorded.delete(entry);
    if (use.node === this.#node) this.#recorded.set(entry, use.number);
    // The last use in the log wins. A connection that is not recorded yet stays, and ends the other one once it is.
    else if (before !== undefined) this.#options.end({ ticket, upTo: before });
  }
}
