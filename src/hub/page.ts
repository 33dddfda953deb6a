import type { ResponseEnd } from "./format.ts";

/** Encoded events in one buffer, which is written unchanged to every subscriber that gets them. */
export interface Page {
  /** The bytes framed as one chunk of HTTP/1.1's chunked transfer coding (RFC 9112 §7.1). */
  readonly framed: Uint8Array;
  /** The same bytes without the frame: a view into `framed`. */
  readonly payload: Uint8Array;
  /** The position before the page's part of the log. */
  readonly from: number;
  /** The last sequence number of the page's part of the log. */
  readonly to: number;
  /** The number of events. */
  readonly count: number;
  /** The number of announced gaps. */
  readonly gaps: number;
  /**
   * Whether the page has its final size, so that encoding it again would give the same. Otherwise it ends at the former
   * head.
   */
  readonly full: boolean;
  /** How the response ends after this page; absent if it goes on. */
  readonly end?: ResponseEnd | undefined;
}

const crlf = "\r\n";

/** Encodes and frames a text. `range` is the part of the log that it covers. */
export function createPage(text: string, range: Omit<Page, "framed" | "payload"> = noRange): Page {
  const length = Buffer.byteLength(text);
  // An empty chunk would end an HTTP/1.1 body.
  if (length === 0) return { framed: empty, payload: empty, ...range };
  const head = length.toString(16) + crlf;
  const framed = Buffer.allocUnsafeSlow(head.length + length + crlf.length);
  framed.write(head, 0, "latin1");
  framed.write(text, head.length, "utf8");
  framed.write(crlf, head.length + length, "latin1");
  return { framed, payload: framed.subarray(head.length, head.length + length), ...range };
}

const noRange = { from: 0, to: 0, count: 0, gaps: 0, full: false };
const empty = Buffer.alloc(0);

/**
 * Caches pages over all views of a hub, for subscribers that reach the same position soon. Evicts the oldest beyond
 * `bytes`.
 */
export class PageCache {
  readonly #bytes: number;
  /** The cached pages, oldest first, each with the map of its view. */
  readonly #maps = new Map<Page, Map<number, Page>>();
  #size = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Adds a page to the `pages` of a view, by its `from`. Replaces an older page there. */
  keep(page: Page, pages: Map<number, Page>): void {
    const older = pages.get(page.from);
    if (older) this.#drop(older);
    pages.set(page.from, page);
    this.#maps.set(page, pages);
    this.#size += weight(page);
    for (const oldest of this.#maps.keys()) {
      if (this.#size <= this.#bytes) break;
      this.#drop(oldest);
    }
  }

  #drop(page: Page): void {
    this.#maps.get(page)?.delete(page.from);
    this.#maps.delete(page);
    this.#size -= weight(page);
  }
}

/** The memory that a page takes in bytes, including its objects and map entries. */
function weight(page: Page): number {
  return page.framed.length + 512;
}
