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

/** What the owner of a subscription is notified of. */
export interface SubscriptionOwner {
  /** It has reached the head; perhaps not for the first time. */
  onLive(): void;
  /** It is over; called once. */
  onEnd(reason: CloseReason, subscriber: Subscriber): void;
}

/** What delivery does for a subscriber. */
export interface SubscriberDelivery {
  readonly outbox: number;
  /** Advances one that is behind, as far as its sink and the log allow. */
  advance(subscriber: Subscriber): void;
  /** Ends one with a final event that says why. */
  end(subscriber: Subscriber, reason: EndReason): void;
  /** Brings one up to where the log ends now, and ends its response. */
  finish(subscriber: Subscriber): void;
  /** A subscription is over. */
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
  readonly view: View<Subscriber>;
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
  readonly #delivery: SubscriberDelivery;

  constructor(
    view: View<Subscriber>,
    { sink, position, owner }: SubscriberParts,
    now: number,
    delivery: SubscriberDelivery,
  ) {
    this.view = view;
    this.sink = sink;
    this.position = position;
    this.owner = owner;
    this.writtenAt = now;
    this.sentAt = now;
    this.#delivery = delivery;
  }

  /** Where it stands: everything up to here was written, or does not match its filter. */
  get cursor(): number {
    return this.live ? Math.max(this.position, this.view.position) : this.position;
  }

  /** Whether the sink has room for `bytes` more. A single page always fits an empty sink. */
  hasRoom(bytes: number): boolean {
    return !this.sink.full || this.sink.pending + bytes <= this.#delivery.outbox;
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

  /** Writes something that is not part of the log. */
  send(page: Page, now: number): void {
    this.sink.write(page);
    this.writtenAt = now;
  }

  onDrain(): void {
    if (!this.closed && !this.live) this.#delivery.advance(this);
  }

  onHalfClose(): void {
    if (!this.closed) this.#delivery.finish(this);
  }

  onClose(): void {
    this.close("client");
  }

  /** Ends the subscription with a final event that says why. */
  end(reason: EndReason): void {
    if (!this.closed) this.#delivery.end(this, reason);
  }

  /** Ends the subscription; a client that is still there gets what it was sent, or is cut if it stalls. */
  close(reason: CloseReason): void {
    if (this.closed) return;
    this.closed = true;
    this.view.leave(this);
    this.#delivery.onClosed(this, reason);
    this.owner?.onEnd(reason, this);
    // No heartbeat checks any more whether the client still reads.
    if (reason === "stalled" || (reason === "store" && this.sink.full)) this.sink.destroy();
    else if (reason !== "client") this.sink.end();
  }
}
