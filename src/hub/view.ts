import { setImmediate as nextTurn } from "node:timers/promises";
import { matches } from "../log/filter.ts";
import type { Log, LogFilter } from "../log/log.ts";
import type { Semaphore } from "../util/semaphore.ts";
import type { Format, ResponseEnd } from "./format.ts";
import { createPage, type Page, type PageCache } from "./page.ts";
import { readFrom } from "./read-from.ts";
import type { Ring } from "./tail.ts";

/** What the views of a hub share. */
export interface ViewContext {
  readonly log: Log;
  readonly ring: Ring;
  /** The id of a position for clients. */
  idAt(seq: number): string;
  readonly cache: PageCache;
  /** Bounds how many pages are read from the log concurrently. */
  readonly reads: Semaphore;
}

/** A page ends with the event that brings it to this many characters. */
const pageSize = 64 * 1024;
/** The largest number of events in a page that is read from the log. */
const pageEvents = 1024;
/**
 * Without a filter, no page crosses a multiple of this, so that subscribers from different positions soon share pages.
 */
const block = 512;

/**
 * With conditions, a page from the ring covers at most this many events, and the work for each counts as much as writing
 * this many bytes: a subscriber whose filter matches nothing must not keep the others waiting.
 */
const conditional = { events: 256, bytesPerEvent: 2048 };

/** What a view knows of its subscribers. */
interface Viewer {
  live: boolean;
}

/**
 * All subscribers that get the same bytes: those with the same filter and format. Each page is encoded once for all of
 * them.
 */
export class View<Subscriber extends Viewer> {
  readonly filter: LogFilter | undefined;
  readonly format: Format;
  /** All subscribers, live or not. */
  size = 0;
  /** The position of the live subscribers while the view is `dirty` or `flushing`. Otherwise they are at the head. */
  from = 0;
  /** Whether there are matching events after `from`. */
  dirty = false;
  flushing = false;
  /** No event in the ring after this one matches. */
  lastMatch: number;
  readonly #context: ViewContext;
  readonly #live = new Set<Subscriber>();
  /** The same subscribers as an array, created on demand. */
  #list: readonly Subscriber[] | undefined;
  readonly #pages = new Map<number, Page>();
  /** The page that was returned last. The next caller most likely needs the same one. */
  #latest: Page | undefined;
  readonly #loading = new Map<number, Promise<Page>>();

  constructor(filter: LogFilter | undefined, format: Format, context: ViewContext) {
    this.filter = filter;
    this.format = format;
    this.#context = context;
    this.lastMatch = context.ring.head;
  }

  /** The position of a live subscriber: all events up to here were delivered, or do not match. */
  get position(): number {
    return this.dirty || this.flushing ? this.from : this.#context.ring.head;
  }

  /** The subscribers at the head. The others join when they have caught up. */
  get live(): readonly Subscriber[] {
    return (this.#list ??= [...this.#live]);
  }

  join(subscriber: Subscriber): void {
    subscriber.live = true;
    this.#live.add(subscriber);
    this.#list = undefined;
  }

  leave(subscriber: Subscriber): void {
    subscriber.live = false;
    this.#live.delete(subscriber);
    this.#list = undefined;
  }

  /** The next page after `from`; `undefined` if it must be loaded from the log. */
  page(from: number): Page | undefined {
    const { ring } = this.#context;
    const latest = this.#latest;
    if (latest?.from === from && isCurrent(latest, ring)) return latest;
    const kept = this.#pages.get(from);
    if (kept && isCurrent(kept, ring)) return (this.#latest = kept);
    return ring.holds(from) ? this.#keep(this.#fromRing(from)) : undefined;
  }

  /** Loads the next page after `from` from the log. Concurrent calls share one read. */
  load(from: number): Promise<Page> {
    let loading = this.#loading.get(from);
    if (!loading) {
      loading = this.#context.reads.run(() => this.#loadNow(from)).finally(() => this.#loading.delete(from));
      this.#loading.set(from, loading);
    }
    return loading;
  }

  async #loadNow(from: number): Promise<Page> {
    // Some stores read synchronously. Without this, all waiting subscribers would be served in one turn of the event
    // loop.
    await nextTurn();
    // All subscribers that waited for the page have disconnected.
    if (this.size === 0) return createPage("", { from, to: from, count: 0, gaps: 0, full: false });
    return this.#fromLog(from);
  }

  #keep(page: Page): Page {
    this.#context.cache.keep(page, this.#pages);
    return (this.#latest = page);
  }

  #fromRing(from: number): Page {
    const { ring } = this.#context;
    const end = this.#end(from);
    const last = Math.min(ring.head, end);
    const lastMatch = Math.min(this.lastMatch, last);
    let text = "";
    let count = 0;
    let to = from;
    let over: ResponseEnd | undefined;
    while (to < lastMatch && text.length < pageSize && !over) {
      const event = ring.at(++to);
      if (!matches(this.filter, event)) continue;
      text += this.format.event(event);
      over = this.format.endOf?.(event);
      count++;
    }
    if (to >= lastMatch && text.length < pageSize && !over) to = last;
    const full = to === end || text.length >= pageSize || over !== undefined;
    return createPage(text, { from, to, count, gaps: 0, full, end: over });
  }

  /** The work for a page, as a number of bytes that take as long to write. */
  workOf({ from, to, framed }: Page): number {
    return this.filter?.where ? Math.max(framed.length, (to - from) * conditional.bytesPerEvent) : framed.length;
  }

  /** The last sequence number that a page after `from` may contain. */
  #end(from: number): number {
    if (this.filter?.where) return from + conditional.events;
    return this.filter ? Infinity : from - (from % block) + block;
  }

  async #fromLog(from: number): Promise<Page> {
    const { log, idAt } = this.#context;
    const limit = this.filter ? pageEvents : Math.min(pageEvents, this.#end(from) - from);
    const read = await readFrom(log, from, { filter: this.filter, limit, maxBytes: pageSize });
    let text = "";
    // Retention has removed events between two pages, because the subscriber is too slow.
    let end: ResponseEnd | undefined;
    if (read.gap) text += this.format.control("spillway.gap", read.gap, idAt(read.earliest - 1));
    if (read.gap && this.format.endOf) end = "cut";
    for (const event of end ? [] : read.events) {
      text += this.format.event(event);
      end = this.format.endOf?.(event);
      if (end) break;
    }
    const full = read.scanned < log.state().head || end !== undefined;
    const to = Math.max(read.scanned, from);
    const range = { from, to, count: read.events.length, gaps: read.gap ? 1 : 0, full, end };
    return this.#keep(createPage(text, range));
  }
}

/** Whether encoding the page again would give the same page. */
function isCurrent(page: Page, ring: Ring): boolean {
  return page.full || page.to === ring.head;
}
