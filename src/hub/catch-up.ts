import type { Page } from "./page.ts";
import type { Subscriber } from "./subscriber.ts";

/** Bytes written in one turn of the event loop to all who catch up: about half a millisecond of work. */
const turnSize = 512 * 1024;

export interface CatchUpHost {
  /** The log's last sequence number. */
  readonly head: number;
  /** Writes a page to a subscriber that is behind. */
  replay(subscriber: Subscriber, page: Page): void;
  /** One has reached the head. */
  onLive(subscriber: Subscriber): void;
  /** The log could not be read for one. */
  fail(subscriber: Subscriber, error: unknown): void;
}

/**
 * Brings the subscribers that are behind to the head: a page for each in turn, and a pause between the turns for the live ones and
 * for those who come. As they go on side by side, a page that was read for one is still there for the others.
 */
export class CatchUp {
  readonly #host: CatchUpHost;
  /** Whose turn it is, in order. */
  readonly #queue = new Set<Subscriber>();
  #scheduled = false;

  constructor(host: CatchUpHost) {
    this.#host = host;
  }

  /** One that is behind, and may have room for more. */
  add(subscriber: Subscriber): void {
    this.#queue.add(subscriber);
    this.#schedule();
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
    let written = 0;
    for (const subscriber of this.#queue) {
      this.#queue.delete(subscriber);
      written += this.#step(subscriber);
      if (written >= turnSize) return;
    }
  }

  /** One page, if it can be had at once and there is room; returns the bytes written. */
  #step(subscriber: Subscriber): number {
    const { view, position, sink, until = Infinity } = subscriber;
    if (subscriber.closed || subscriber.live || subscriber.reading) return 0;
    if (position >= Math.min(this.#host.head, until)) {
      this.#host.onLive(subscriber);
      return 0;
    }
    // The next drain brings it back.
    if (sink.full) return 0;
    const page = view.page(position);
    if (!page) {
      this.#read(subscriber);
      return 0;
    }
    this.#host.replay(subscriber, page);
    this.#queue.add(subscriber);
    return page.framed.length;
  }

  #read(subscriber: Subscriber): void {
    subscriber.reading = true;
    subscriber.view.load(subscriber.position).then(
      (page) => {
        subscriber.reading = false;
        if (subscriber.closed) return;
        if (!subscriber.sink.full) this.#host.replay(subscriber, page);
        this.add(subscriber);
      },
      (error: unknown) => {
        if (!subscriber.closed) this.#host.fail(subscriber, error);
      },
    );
  }
}
