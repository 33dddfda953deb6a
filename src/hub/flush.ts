import { inSlices, sliceSize } from "../util/slices.ts";
import type { Ring } from "./ring.ts";
import type { Subscriber } from "./subscriber.ts";
import type { View } from "./view.ts";

/**
 * Brings new events to the live subscribers. What comes while a flush is due or under way leaves together in the next one, so
 * the cost per event falls as load rises; without `coalesce` that takes no timer, and nothing waits when idle.
 */
export class Flusher {
  readonly #ring: Ring;
  readonly #coalesce: number;
  readonly #serve: (subscriber: Subscriber, target: number) => void;
  #dirty: View[] = [];
  #scheduled = false;

  /** `serve` brings one live subscriber up to a sequence number; `coalesce` is how long an event may wait for others, in ms. */
  constructor(ring: Ring, coalesce: number, serve: (subscriber: Subscriber, target: number) => void) {
    this.#ring = ring;
    this.#coalesce = coalesce;
    this.#serve = serve;
  }

  /** A view has an event to send. */
  mark(view: View, seq: number): void {
    if (view.dirty) return;
    // Whatever came since the last flush of this view did not match: its live subscribers are past it.
    if (!view.flushing) view.from = seq - 1;
    view.dirty = true;
    this.#dirty.push(view);
  }

  /** Sees to it that a flush comes. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (this.#coalesce > 0) setTimeout(() => this.#flush(), this.#coalesce).unref();
    else setImmediate(() => this.#flush());
  }

  #flush(): void {
    const target = this.#ring.head;
    const views = this.#dirty;
    this.#dirty = [];
    for (const view of views) {
      view.dirty = false;
      view.flushing = true;
    }
    const subscribers = views.flatMap((view) => [...view.live]);
    inSlices(
      subscribers,
      sliceSize,
      (subscriber) => this.#serve(subscriber, target),
      () => this.#done(views, target),
    );
  }

  #done(views: readonly View[], target: number): void {
    for (const view of views) {
      view.from = target;
      view.flushing = false;
    }
    this.#scheduled = false;
    if (this.#ring.head > target) this.schedule();
  }
}
