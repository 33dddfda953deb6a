import { formatCursor } from "../log/cursor.ts";
import type { Log, LogEvent, LogFilter } from "../log/log.ts";
import { createSemaphore } from "../util/semaphore.ts";
import { inSlices, sliceSize } from "../util/event-loop.ts";
import { monotonicMs } from "../util/durations.ts";
import type { ControlEvents, ControlName } from "./control.ts";
import { cutLater } from "./cut.ts";
import { Delivery } from "./delivery.ts";
import { drainSubscribers } from "./drain.ts";
import { Flusher } from "./flush.ts";
import { createNdjsonFormat, createSseFormat, ownIdOf, type Format } from "./format.ts";
import { startHeartbeat } from "./heartbeat.ts";
import type { DrainPlan, Hub, HubOptions, SubscribeRequest, SubscriberStats, Subscription } from "./hub.ts";
import { createPage, PageCache, type Page } from "./page.ts";
import { neverClosed, Subscriber, type CloseReason } from "./subscriber.ts";
import { eventsThatFit, Ring, Tail, type TailTarget } from "./tail.ts";
import { Views } from "./views.ts";
import { Waiters } from "./waiters.ts";

/** The limits of the ring, which holds the log's last events in memory. */
const ringLimits = { events: 8192, bytes: 8 * 1024 * 1024 };
/** The size of the page cache over all views, in bytes. */
const cachedBytes = 8 * 1024 * 1024;
/** How many pages are read from the log concurrently. */
const concurrentReads = 4;

/** Creates the hub of a log and reads the log's last events into it. */
export async function createHub(log: Log, options: HubOptions): Promise<Hub> {
  const hub = new LogHub(log, options);
  await hub.start();
  return hub;
}

class LogHub implements Hub, TailTarget {
  readonly formats: Hub["formats"];
  readonly stats: SubscriberStats = {
    delivered: 0,
    sentBytes: 0,
    replayed: 0,
    gaps: 0,
    closed: { ...neverClosed },
  };
  closed = false;
  readonly #log: Log;
  readonly #options: HubOptions;
  readonly #ring: Ring;
  readonly #views: Views;
  readonly #delivery: Delivery;
  readonly #flusher: Flusher;
  readonly #waiters = new Waiters();
  readonly #subscribers = new Set<Subscriber>();
  /** The own id of the event at the head, if clients get such ids; `""` if the event has reset the id. */
  #headId: string | undefined;
  readonly #tail: Tail;
  /** Set only while there are subscribers. */
  #stopHeartbeat: (() => void) | undefined;

  constructor(log: Log, options: HubOptions) {
    this.#log = log;
    this.#options = options;
    const { ids, format } = options;
    this.formats = {
      sse: format ?? createSseFormat(log.epoch, ids),
      ndjson: format ?? createNdjsonFormat(log.epoch, ids),
    };
    const warmUp = Math.min(options.warmUp, eventsThatFit(log.state(), ringLimits.bytes));
    const ring = (this.#ring = new Ring(log.state().head - warmUp, ringLimits));
    this.#views = new Views({
      log,
      ring,
      idAt: (seq) => this.idAt(seq),
      cache: new PageCache(cachedBytes),
      reads: createSemaphore(concurrentReads),
    });
    this.#delivery = new Delivery({
      ring,
      outbox: options.outbox,
      stats: this.stats,
      cursorAt: this.#cursorAt,
      onReadFailed: (err) => options.logger.error({ err }, "replay failed"),
      onClosed: (subscriber, reason) => this.#forget(subscriber, reason),
    });
    this.#tail = new Tail(log, options.logger, this);
    this.#flusher = new Flusher(ring, options.coalesce, this.#delivery, () => this.#subscribers.size);
  }

  start(): Promise<void> {
    return this.#tail.start();
  }

  get head(): number {
    return this.#ring.head;
  }

  get subscribers(): number {
    return this.#subscribers.size;
  }

  subscribersByChannel(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { filter, size } of this.#views) {
      for (const name of filter?.channels ?? filter?.within?.channels ?? [])
        counts.set(name, (counts.get(name) ?? 0) + size);
    }
    return counts;
  }

  backlog(): { readonly lag: number; readonly unsent: number } {
    let lag = 0;
    let unsent = 0;
    for (const { cursor, sink } of this.#subscribers) {
      lag = Math.max(lag, this.head - cursor);
      unsent += sink.pending;
    }
    return { lag, unsent };
  }

  idAt(seq: number): string {
    return (seq === this.head && this.#headId) || this.#cursorAt(seq);
  }

  readonly #cursorAt = (seq: number): string => formatCursor(this.#log.epoch, seq);

  waitBeyond(seq: number, signal: AbortSignal, filter?: LogFilter): Promise<number | undefined> {
    return this.closed || this.head > seq ? Promise.resolve(undefined) : this.#waiters.wait(signal, filter);
  }

  subscribe(request: SubscribeRequest): Subscription {
    const { filter, format, preamble } = request;
    const view = this.#views.obtain(filter, this.formats[format]);
    const subscriber = new Subscriber(view, request, monotonicMs(), this.#delivery);
    view.size++;
    this.#subscribers.add(subscriber);
    this.#stopHeartbeat ??= startHeartbeat({
      subscribers: this.#subscribers,
      options: this.#options,
      cursorAt: this.#cursorAt,
    });
    subscriber.awaitsCheckpoint = request.position < this.head && !!(filter ?? this.#options.ids !== "gateway");
    subscriber.send(createPage(preamble), subscriber.writtenAt);
    this.#options.onSubscribers?.(this.subscribers);
    if (this.closed) subscriber.close("drain");
    else this.#delivery.advance(subscriber);
    return subscriber;
  }

  broadcast<N extends ControlName>(name: N, data: ControlEvents[N]): void {
    const pages = new Map<Format, Page>();
    for (const format of Object.values(this.formats)) pages.set(format, createPage(format.control(name, data)));
    const visit = (subscriber: Subscriber): void => {
      if (subscriber.closed || subscriber.sink.full) return;
      subscriber.send(pages.get(subscriber.view.format)!, this.#delivery.now);
    };
    inSlices([...this.#subscribers], sliceSize, visit, () => {});
  }

  async drain(plan: DrainPlan): Promise<void> {
    const until = monotonicMs() + plan.grace;
    await drainSubscribers([...this.#subscribers], plan, (subscriber, bye) => {
      // Sends the latest events now, so that they need no replay after the reconnect.
      this.#delivery.serve(subscriber, this.head);
      if (!subscriber.sink.full) subscriber.send(bye, this.#delivery.now);
      subscriber.close("drain");
      // If the server is not the gateway's own, nothing else cuts a client that does not read.
      cutLater(subscriber.sink, Math.max(0, until - monotonicMs()));
    });
  }

  async close(plan: DrainPlan): Promise<void> {
    this.closed = true;
    this.#tail.stop();
    this.#waiters.release();
    await this.drain(plan);
  }

  /**
   * Takes the tail's next events. After a gap, subscribers at the head continue from the log, so that the gap is
   * announced.
   */
  take(events: readonly LogEvent[]): void {
    const displaced = events[0]!.seq === this.head + 1 ? [] : this.#displace();
    this.#push(events);
    for (const subscriber of displaced) this.#delivery.catchUp(subscriber);
  }

  skip(head: number): void {
    const displaced = this.#displace();
    this.#ring.restart(head);
    this.#waiters.release();
    for (const subscriber of displaced) this.#delivery.catchUp(subscriber);
  }

  /** Ends live delivery for the subscribers at the head. Each keeps its own position. */
  #displace(): Subscriber[] {
    const live = [...this.#subscribers].filter((subscriber) => subscriber.live);
    for (const subscriber of live) {
      subscriber.position = subscriber.cursor;
      subscriber.view.leave(subscriber);
    }
    return live;
  }

  #push(events: readonly LogEvent[]): void {
    this.#delivery.now = monotonicMs();
    for (const event of events) {
      this.#ring.push(event);
      this.#headId = ownIdOf(event, this.#options.ids);
      this.#views.touch(event, (view) => this.#flusher.mark(view, event.seq));
    }
    this.#flusher.schedule();
    this.#waiters.take(events);
  }

  #forget(subscriber: Subscriber, reason: CloseReason): void {
    this.#subscribers.delete(subscriber);
    if (this.#subscribers.size === 0) {
      this.#stopHeartbeat?.();
      this.#stopHeartbeat = undefined;
    }
    subscriber.view.size--;
    this.#views.release(subscriber.view);
    this.stats.closed[reason]++;
    this.#options.onSubscribers?.(this.subscribers);
  }
}
