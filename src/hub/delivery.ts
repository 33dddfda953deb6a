import { monotonicMs } from "../util/durations.ts";
import type { EndReason } from "./control.ts";
import { cutLater, cutWhenSent } from "./cut.ts";
import { createBye } from "./drain.ts";
import type { SubscriberStats } from "./hub.ts";
import { createPage, type Page } from "./page.ts";
import type { Ring } from "./tail.ts";
import type { Subscriber, SubscriberDelivery } from "./subscriber.ts";

/** The reconnect delay of a client whose subscription ends for a reason that concerns this client only, in ms. */
const reconnectDelay = 1000;
/** The work in one turn of the event loop for all subscribers that catch up, in bytes: about half a millisecond. */
const turnSize = 512 * 1024;

/** What a delivery needs of its hub. */
export interface DeliveryOptions {
  readonly ring: Ring;
  /** The limit of unsent bytes of one subscriber, see `HubOptions`. */
  readonly outbox: number;
  readonly stats: SubscriberStats;
  /** The cursor of a position. */
  cursorAt(seq: number): string;
  /** The log could not be read for a subscriber. */
  onReadFailed(error: unknown): void;
  /** A subscription is over. */
  onClosed: SubscriberDelivery["onClosed"];
}

/**
 * Delivers pages to subscribers. Subscribers at the head get them immediately. Subscribers that are behind get one page
 * each in turn, with pauses for live subscribers and new connections. They advance together, so a page that was read
 * for one is still cached for the others.
 */
export class Delivery implements SubscriberDelivery {
  readonly outbox: number;
  readonly onClosed: SubscriberDelivery["onClosed"];
  /** The time of the latest events, as `monotonicMs()` counts. */
  now: number = monotonicMs();
  readonly #ring: Ring;
  readonly #stats: SubscriberStats;
  readonly #cursorAt: DeliveryOptions["cursorAt"];
  readonly #onReadFailed: DeliveryOptions["onReadFailed"];
  /** The subscribers that are behind and may have room for a page, in the order of their turns. */
  readonly #queue = new Set<Subscriber>();
  #scheduled = false;

  constructor({ ring, outbox, stats, cursorAt, onReadFailed, onClosed }: DeliveryOptions) {
    this.#ring = ring;
    this.outbox = outbox;
    this.#stats = stats;
    this.#cursorAt = cursorAt;
    this.#onReadFailed = onReadFailed;
    this.onClosed = onClosed;
  }

  get head(): number {
    return this.#ring.head;
  }

  /** Delivers events up to `target` to a live subscriber. One without room catches up after its sink has drained. */
  serve(subscriber: Subscriber, target: number): void {
    if (!subscriber.live) return;
    const { view } = subscriber;
    subscriber.position = Math.max(subscriber.position, view.position);
    while (subscriber.position < target && !subscriber.closed) {
      const page = view.page(subscriber.position);
      if (!page || !subscriber.hasRoom(page.framed.length)) {
        view.leave(subscriber);
        this.catchUp(subscriber);
        return;
      }
      this.#deliver(subscriber, page);
    }
  }

  advance(subscriber: Subscriber): void {
    if (subscriber.position >= this.#ring.head) this.#join(subscriber);
    else this.catchUp(subscriber);
  }

  /** Queues a subscriber that is behind and may have room for a page. */
  catchUp(subscriber: Subscriber): void {
    this.#queue.add(subscriber);
    this.#schedule();
  }

  end(subscriber: Subscriber, reason: EndReason): void {
    // Sent even if the sink is full: it is only one small page, and tells the client the reason.
    subscriber.send(createBye(subscriber.view.format, { reason, retry: reconnectDelay }), this.now);
    subscriber.close(reason);
    cutLater(subscriber.sink);
  }

  finish(subscriber: Subscriber): void {
    subscriber.until ??= this.#ring.head;
    this.serve(subscriber, this.#ring.head);
    // It gets no more live events, and each drain queues it again.
    subscriber.view.leave(subscriber);
    this.advance(subscriber);
  }

  /** Handles a subscriber that has reached the head, or its last event. */
  #join(subscriber: Subscriber): void {
    if (subscriber.until !== undefined) return this.#complete(subscriber);
    subscriber.view.join(subscriber);
    if (subscriber.awaitsCheckpoint) this.#sendCheckpoint(subscriber);
    subscriber.owner?.onLive();
  }

  /**
   * Sent even if the sink is full: it is only one small page, once. Without a filter it has no id, because events of the upstream
   * without an id keep the last one that the client has got.
   */
  #sendCheckpoint(subscriber: Subscriber): void {
    const { filter, format } = subscriber.view;
    const cursor = this.#cursorAt(subscriber.position);
    subscriber.awaitsCheckpoint = false;
    subscriber.send(createPage(format.checkpoint(cursor, filter && cursor)), monotonicMs());
  }

  /** Ends the response of a subscriber that has received its last event, once the sink has drained. */
  #complete(subscriber: Subscriber): void {
    if (subscriber.sink.full) return;
    subscriber.close("client");
    if (subscriber.view.format.endOf) return cutWhenSent(subscriber.sink);
    subscriber.sink.end();
    cutLater(subscriber.sink);
  }

  #deliver(subscriber: Subscriber, page: Page): void {
    subscriber.take(page, this.now);
    this.#stats.delivered += page.count;
    this.#stats.sentBytes += page.framed.length;
    if (!page.end) return;
    const { sink } = subscriber;
    subscriber.close("client");
    if (page.end === "cut") return cutWhenSent(sink);
    sink.end();
    cutLater(sink);
  }

  #replay(subscriber: Subscriber, page: Page): void {
    this.#deliver(subscriber, page);
    this.#stats.replayed += page.count;
    this.#stats.gaps += page.gaps;
  }

  #schedule(): void {
    if (this.#scheduled || this.#queue.size === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#turn();
      this.#schedule();
    });
  }

  #turn(): void {
    let work = 0;
    for (const subscriber of this.#queue) {
      this.#queue.delete(subscriber);
      work += this.#step(subscriber);
      if (work >= turnSize) return;
    }
  }

  /** Delivers one page if it is available without a read and there is room; returns the work for it. */
  #step(subscriber: Subscriber): number {
    const { view, position, sink, until = Infinity } = subscriber;
    if (subscriber.closed || subscriber.live || subscriber.reading) return 0;
    if (position >= Math.min(this.#ring.head, until)) {
      this.#join(subscriber);
      return 0;
    }
    // The next drain queues it again.
    if (sink.full) return 0;
    const page = view.page(position);
    if (!page) {
      this.#read(subscriber);
      return 0;
    }
    this.#replay(subscriber, page);
    this.#queue.add(subscriber);
    return view.workOf(page);
  }

  #read(subscriber: Subscriber): void {
    subscriber.reading = true;
    subscriber.view.load(subscriber.position).then(
      (page) => {
        subscriber.reading = false;
        if (subscriber.closed) return;
        if (!subscriber.sink.full) this.#replay(subscriber, page);
        this.catchUp(subscriber);
      },
      (error: unknown) => {
        if (subscriber.closed) return;
        this.#onReadFailed(error);
        subscriber.close("store");
      },
    );
  }
}
