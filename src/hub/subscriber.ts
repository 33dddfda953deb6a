import { monotonicMs } from "../util/durations.ts";
import type { EndReason } from "./control.ts";
import { cutWhenSent } from "./cut.ts";
import { createPage, type Page } from "./page.ts";
import type { Sink, SinkListener } from "./sink.ts";
import type { View } from "./view.ts";

/** Why a subscription ended; a label of the metrics. */
export type CloseReason =
  /** The client disconnected, or has the whole response. */
  | "client"
  /** The client's socket accepted no bytes for longer than `stall`. */
  | "stalled"
  /** The log could not be read. */
  | "store"
  | EndReason;

/** How often subscriptions have ended, by reason: never. */
export const neverClosed: Readonly<Record<CloseReason, number>> = {
  "client": 0,
  "stalled": 0,
  "drain": 0,
  "duration": 0,
  "store": 0,
  "token-expired": 0,
  "revoked": 0,
  "replaced": 0,
};

/** How far a subscription is. */
export interface SubscriptionProgress {
  /** Events written to the subscriber. */
  readonly events: number;
  /** How many events of the stream it is behind the head. */
  readonly lag: number;
  /** Accepted bytes that have not been sent yet. */
  readonly unsent: number;
}

/** The owner of a subscription, which is notified of its progress. */
export interface SubscriptionOwner {
  /** The subscriber has reached the head, possibly not for the first time. */
  onLive(): void;
  /** The subscription has ended; called once. */
  onEnd(reason: CloseReason, subscriber: Subscriber): void;
}

/** The delivery as needed by a subscriber. */
export interface SubscriberDelivery {
  readonly outbox: number;
  /** The last sequence number of the log that is known. */
  readonly head: number;
  /** Continues delivery to a subscriber that is behind, as far as its sink and the log allow. */
  advance(subscriber: Subscriber): void;
  /** Ends a subscription with a final event that states the reason. */
  end(subscriber: Subscriber, reason: EndReason): void;
  /** Delivers the events up to the current head, and then ends the response. */
  finish(subscriber: Subscriber): void;
  /** A subscription has ended. */
  onClosed(subscriber: Subscriber, reason: CloseReason): void;
}

/** The parts of a subscriber. */
export interface SubscriberParts {
  /** Delivery starts after this sequence number. */
  readonly position: number;
  readonly sink: Sink;
  readonly owner?: SubscriptionOwner | undefined;
}

/**
 * A downstream connection: a cursor, a view and a sink. `outbox` bounds its memory, even if the client does not read.
 */
export class Subscriber implements SinkListener {
  readonly view: View<Subscriber>;
  readonly sink: Sink;
  /** All events up to here were written. For a live subscriber, this is a lower bound of `cursor`. */
  position: number;
  /** Whether the subscriber is at the head and gets new events directly. Set by its view. */
  live = false;
  /** The last sequence number to deliver. Set once the client has ended its side. */
  until: number | undefined;
  /** Whether it gets a checkpoint when it reaches the head, because the ids of events cannot tell its client. */
  awaitsCheckpoint = false;
  /** Whether a page is being read for the subscriber. */
  reading = false;
  closed = false;
  /** The number of written events. */
  events = 0;
  /** The time of the last write, as of `monotonicMs()`. */
  writtenAt: number;
  /** The sent bytes at the last heartbeat pass. */
  sent = 0;
  /** When a heartbeat pass last found progress, as of `monotonicMs()`. */
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

  /** The current position: all events up to here were written, or do not match the filter. */
  get cursor(): number {
    return this.live ? Math.max(this.position, this.view.position) : this.position;
  }

  /** Whether the sink has room for `bytes` more. A single page always fits an empty sink. */
  hasRoom(bytes: number): boolean {
    return !this.sink.full || this.sink.pending + bytes <= this.#delivery.outbox;
  }

  /** Writes a page and advances past it. */
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
    if (page.framed.length > 0) this.sink.write(page);
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

  /** Ends the subscription with a final event that states the reason. */
  end(reason: EndReason): void {
    if (!this.closed) this.#delivery.end(this, reason);
  }

  sendEvent(event: string, data: string): boolean {
    // A client that has ended its side gets nothing new.
    if (this.closed || this.until !== undefined || this.sink.full) return false;
    this.send(createPage(this.view.format.unlogged(event, data)), monotonicMs());
    return true;
  }

  progress(): SubscriptionProgress {
    const lag = Math.max(0, this.#delivery.head - this.cursor);
    return { events: this.events, lag, unsent: this.sink.pending };
  }

  /** Ends the subscription. The pending bytes are still sent, unless the client is stalled. */
  close(reason: CloseReason): void {
    if (this.closed) return;
    this.closed = true;
    this.view.leave(this);
    this.#delivery.onClosed(this, reason);
    this.owner?.onEnd(reason, this);
    // A full sink is destroyed, because no heartbeat checks any more whether the client reads.
    if (reason === "stalled" || (reason === "store" && this.sink.full)) this.sink.destroy();
    else if (reason === "client") return;
    else if (this.view.format.endOf) cutWhenSent(this.sink);
    else this.sink.end();
  }
}
