import { formatCursor } from "../log/cursor.ts";
import type { Log, LogEvent, LogFilter } from "../log/log.ts";
import { createSemaphore } from "../util/semaphore.ts";
import { inSlices, sliceSize } from "../util/slices.ts";
import { monotonicMs } from "../util/monotonic-ms.ts";
import { CatchUp, type CatchUpHost } from "./catch-up.ts";
import type { ControlEvents, ControlName, EndReason } from "./control.ts";
import { Flusher, type FlushHost } from "./flush.ts";
import { createNdjsonFormat, createSseFormat, ownIdOf, type Format } from "./format.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { createGoodbye, sayFarewell } from "./farewell.ts";
import type { Farewell, Hub, HubOptions, HubStats, SubscribeRequest, Subscription } from "./hub.ts";
import { createPage, PageCache, type Page } from "./page.ts";
import { eventsThatFit, Ring } from "./ring.ts";
import type { Sink } from "./sink.ts";
import { Subscriber, type CloseReason, type SubscriberHost } from "./subscriber.ts";
import { Tail, type TailTarget } from "./tail.ts";
import { Views } from "./views.ts";
import { Waiters } from "./waiters.ts";

/** How much of the log's end is kept in memory. */
const ringLimits = { events: 8192, bytes: 8 * 1024 * 1024 };
/** Bytes of encoded pages kept over all views. */
const cachedBytes = 8 * 1024 * 1024;
/** After how many ms one that was let go for a reason of its own is asked to come back. */
const comeBack = 1000;
/** How long such a one may take to read what it was sent, in ms. */
const endGrace = 5000;
/** Pages read from the log at once. */
const concurrentReads = 4;

/** Makes the hub of a log and reads the log's end into it. */
export async function createHub(log: Log, options: HubOptions): Promise<Hub> {
  const hub = new LogHub(log, options);
  await hub.start();
  return hub;
}

class LogHub implements Hub, SubscriberHost, CatchUpHost, FlushHost, TailTarget {
  readonly formats: Hub["formats"];
  readonly stats: HubStats = {
    delivered: 0,
    sentBytes: 0,
    replayed: 0,
    gaps: 0,
    closed: { "client": 0, "stalled": 0, "drain": 0, "store": 0, "token-expired": 0, "revoked": 0, "replaced": 0 },
  };
  closed = false;
  readonly #log: Log;
  readonly #options: HubOptions;
  readonly #ring: Ring;
  readonly #views: Views;
  readonly #flusher: Flusher;
  readonly #catchUp = new CatchUp(this);
  readonly #waiters = new Waiters();
  readonly #subscribers = new Set<Subscriber>();
  /** The id that the event at the head was given, where such ids go out; `""` where that event has reset it. */
  #headId: string | undefined;
  #now = monotonicMs();
  readonly #tail: Tail;
  /** There only while there are subscribers. */
  #stopHeartbeat: (() => void) | undefined;

  constructor(log: Log, options: HubOptions) {
    this.#log = log;
    this.#options = options;
    this.formats = { sse: createSseFormat(log.epoch, options.ids), ndjson: createNdjsonFormat(log.epoch, options.ids) };
    const ring = new Ring(
      log.state().head - Math.min(options.warmUp, eventsThatFit(log.state(), ringLimits.bytes)),
      ringLimits,
    );
    this.#ring = ring;
    this.#views = new Views({
      log,
      ring,
      idAt: (seq) => this.idAt(seq),
      cache: new PageCache(cachedBytes),
      reads: createSemaphore(concurrentReads),
    });
    this.#tail = new Tail(log, options.logger, this);
    this.#flusher = new Flusher(ring, options.coalesce, this);
  }

  start(): Promise<void> {
    return this.#tail.start();
  }

  get head(): number {
    return this.#ring.head;
  }

  get outbox(): number {
    return this.#options.outbox;
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
    return (seq === this.head && this.#headId) || formatCursor(this.#log.epoch, seq);
  }

  beyond(seq: number, signal: AbortSignal, filter?: LogFilter): Promise<number | undefined> {
    return this.closed || this.head > seq ? Promise.resolve(undefined) : this.#waiters.wait(signal, filter);
  }

  subscribe(request: SubscribeRequest): Subscription {
    const { filter, format, preamble } = request;
    const view = this.#views.obtain(filter, this.formats[format]);
    const subscriber = new Subscriber(view, request, monotonicMs(), this);
    view.size++;
    this.#subscribers.add(subscriber);
    this.#stopHeartbeat ??= startHeartbeat({
      subscribers: this.#subscribers,
      options: this.#options,
      cursorAt: (seq) => formatCursor(this.#log.epoch, seq),
    });
    subscriber.say(createPage(preamble), subscriber.writtenAt);
    this.#options.onSubscribers?.(this.subscribers);
    if (this.closed) subscriber.close("drain");
    else this.advance(subscriber);
    return subscriber;
  }

  broadcast<N extends ControlName>(name: N, data: ControlEvents[N]): void {
    const pages = new Map<Format, Page>();
    for (const format of Object.values(this.formats)) pages.set(format, createPage(format.control(name, data)));
    const visit = (subscriber: Subscriber): void => {
      if (subscriber.closed || subscriber.sink.full) return;
      subscriber.say(pages.get(subscriber.view.format)!, this.#now);
    };
    inSlices([...this.#subscribers], sliceSize, visit, () => {});
  }

  async close(farewell: Farewell): Promise<void> {
    this.closed = true;
    this.#tail.stop();
    this.#waiters.release();
    await sayFarewell([...this.#subscribers], farewell, (subscriber, goodbye) => {
      // What has come last is not left to the replay after the reconnect.
      this.serve(subscriber, this.head);
      if (!subscriber.sink.full) subscriber.say(goodbye, this.#now);
      subscriber.close("drain");
      // Where the server goes on, nobody else cuts one that reads nothing.
      if (farewell.reason !== "drain") cutLater(subscriber.sink);
    });
  }

  end(subscriber: Subscriber, reason: EndReason): void {
    // Also behind what it has yet to read: one page more, and it is told why.
    subscriber.say(createGoodbye(subscriber.view.format, { reason, retry: comeBack }), this.#now);
    subscriber.close(reason);
    cutLater(subscriber.sink);
  }

  finish(subscriber: Subscriber): void {
    subscriber.until ??= this.head;
    this.serve(subscriber, this.head);
    // Nothing live comes any more, and a drain is to bring it back.
    subscriber.view.leave(subscriber);
    this.advance(subscriber);
  }

  advance(subscriber: Subscriber): void {
    if (subscriber.position >= this.head) this.onLive(subscriber);
    else this.#catchUp.add(subscriber);
  }

  onLive(subscriber: Subscriber): void {
    if (subscriber.until !== undefined) return this.#letGo(subscriber);
    subscriber.view.join(subscriber);
    subscriber.owner?.onLive();
  }

  /** Ends the response of one that has got all that it is due, once that has left. */
  #letGo(subscriber: Subscriber): void {
    if (subscriber.sink.full) return;
    subscriber.close("client");
    subscriber.sink.end();
    cutLater(subscriber.sink);
  }

  replay(subscriber: Subscriber, page: Page): void {
    this.deliver(subscriber, page);
    this.stats.replayed += page.count;
    this.stats.gaps += page.gaps;
  }

  deliver(subscriber: Subscriber, page: Page): void {
    subscriber.take(page, this.#now);
    this.stats.delivered += page.count;
    this.stats.sentBytes += page.framed.length;
  }

  fail(subscriber: Subscriber, error: unknown): void {
    this.#options.logger.error({ err: error }, "replay failed");
    subscriber.close("store");
  }

  onClosed(subscriber: Subscriber, reason: CloseReason): void {
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

  /** Brings one that is still live up to `target`; if it has no room, it is to catch up once its sink has drained. */
  serve(subscriber: Subscriber, target: number): void {
    if (!subscriber.live) return;
    const { view } = subscriber;
    subscriber.position = Math.max(subscriber.position, view.position);
    while (subscriber.position < target) {
      const page = view.page(subscriber.position);
      if (!page || !subscriber.hasRoom(page.framed.length)) {
        view.leave(subscriber);
        this.#catchUp.add(subscriber);
        return;
      }
      this.deliver(subscriber, page);
    }
  }

  /** The tail's next events. Beyond a hole, those at the head go on from the log, which tells them of it. */
  take(events: readonly LogEvent[]): void {
    const displaced = events[0]!.seq === this.head + 1 ? [] : this.#displace();
    this.#push(events);
    for (const subscriber of displaced) this.#catchUp.add(subscriber);
  }

  skip(head: number): void {
    const displaced = this.#displace();
    this.#ring.restart(head);
    this.#waiters.release();
    for (const subscriber of displaced) this.#catchUp.add(subscriber);
  }

  /** Takes the subscribers at the head out of the live flow, each at its own place. */
  #displace(): Subscriber[] {
    const live = [...this.#subscribers].filter((subscriber) => subscriber.live);
    for (const subscriber of live) {
      subscriber.position = subscriber.cursor;
      subscriber.view.leave(subscriber);
    }
    return live;
  }

  #push(events: readonly LogEvent[]): void {
    this.#now = monotonicMs();
    for (const event of events) {
      this.#ring.push(event);
      this.#headId = ownIdOf(event, this.#options.ids);
      this.#views.touch(event, (view) => this.#flusher.mark(view, event.seq));
    }
    this.#flusher.schedule();
    this.#waiters.take(events);
  }
}

/** Cuts a sink that was ended, if what it was given has not left after a while. */
function cutLater(sink: Sink): void {
  if (sink.pending > 0) setTimeout(() => sink.destroy(), endGrace).unref();
}
