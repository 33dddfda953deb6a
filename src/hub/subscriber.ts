import type { EndReason } from "./control.ts";
import type { Page } from "./page.ts";
import type { Sink, SinkListener } from "./sink.ts";
import type { View } from "./view.ts";

/** Why a subscription ended; the label of its metric. */
export type CloseReason =
  /** The client went away. */
  | "client"
  /** Its socket took nothing for longer than `stall`. */
  | "stalled"
  /** The server is stopping. */
  | "drain"
  /** The log could not be read. */
  | "store"
  | EndReason;

/** What is told to whom a subscription belongs. */
export interface SubscriptionOwner {
  /** It has reached the head; perhaps not for the first time. */
  onLive(): void;
  /** It is over; called once. */
  onEnd(reason: CloseReason, subscriber: Subscriber): void;
}

/** What the hub does for its subscribers. */
export interface SubscriberHost {
  readonly outbox: number;
  /** Moves one that is behind on, as far as its sink and the log allow. */
  advance(subscriber: Subscriber): void;
  /** Says goodbye to one, and why. */
  end(subscriber: Subscriber, reason: EndReason): void;
  /** Brings one up to where the log ends now, and ends its response. */
  finish(subscriber: Subscriber): void;
  /** Forgets it. */
  onClosed(subscriber: Subscriber, reason: CloseReason): void;
}

/** What a subscriber is made of. */
export interface SubscriberParts {
  /** Delivery starts behind this sequence number. */
  readonly position: number;
  readonly sink: Sink;
  readonly owner?: SubscriptionOwner | undefined;
}

/** One downstream connection: a cursor, a view and a sink. Bounded by `outbox`, whatever its client does. */
export class Subscriber implements SinkListener {
  readonly view: View;
  readonly sink: Sink;
  /** Everything up to here was written. For a live subscriber a lower bound of `cursor`. */
  position: number;
  /** At the head: new events reach it as they come. Set by its view. */
  live = false;
  /** Delivery ends here: set once its client has ended its side. */
  until: number | undefined;
  /** A page is being read for it. */
  reading = false;
  closed = false;
  /** Events that were written. */
  events = 0;
  /** When something was last written, as `monotonicMs()` counts. */
  writtenAt: number;
  /** The bytes that had left when it was last looked at, and when they last became more. */
  sent = 0;
  sentAt: number;
  readonly owner: SubscriptionOwner | undefined;
  readonly #host: SubscriberHost;

  constructor(view: View, { sink, position, owner }: SubscriberParts, now: number, host: SubscriberHost) {
    this.view = view;
    this.sink = sink;
    this.position = position;
    this.owner = owner;
    this.writtenAt = now;
    this.sentAt = now;
    this.#host = host;
  }

  /** Where it stands: everything up to here was written, or does not match its filter. */
  get cursor(): number {
    return this.live ? Math.max(this.position, this.view.position) : this.position;
  }

  /** Whether the sink takes so many bytes more. A single page always fits an empty sink. */
  hasRoom(bytes: number): boolean {
    return !this.sink.full || this.sink.pending + bytes <= this.#host.outbox;
  }

  /** Writes a page and moves behind it. */
  take(page: Page, now: number): void {
    if (page.framed.length > 0) {
      this.sink.write(page);
      this.writtenAt = now;
    }
    this.position = page.to;
    this.events += page.count;
  }

  /** Writes something that is not of the log. */
  say(page: Page, now: number): void {
    this.sink.write(page);
    this.writtenAt = now;
  }

  onDrain(): void {
    if (!this.closed && !this.live) this.#host.advance(this);
  }

  onHalfClose(): void {
    if (!this.closed) this.#host.finish(this);
  }

  onClose(): void {
    this.close("client");
  }

  /** Ends the subscription with a goodbye that says why. */
  end(reason: EndReason): void {
    if (!this.closed) this.#host.end(this, reason);
  }

  /** Ends the subscription; a client that is still there is let go behind what it was sent, or cut if it stalls. */
  close(reason: CloseReason): void {
    if (this.closed) return;
    this.closed = true;
    this.view.leave(this);
    this.#host.onClosed(this, reason);
    this.owner?.onEnd(reason, this);
    // Nobody looks any more whether one that reads nothing goes on.
    if (reason === "stalled" || (reason === "store" && this.sink.full)) this.sink.destroy();
    else if (reason !== "client") this.sink.end();
  }
}
