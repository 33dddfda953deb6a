/** Encoded events in one buffer, written unchanged to every subscriber that sees them. */
export interface Page {
  /** The bytes framed as one chunk of HTTP/1.1's chunked transfer coding (RFC 9112 §7.1). */
  readonly framed: Uint8Array;
  /** The same bytes without the frame: a view into `framed`. */
  readonly payload: Uint8Array;
  /** It covers the log from behind `from` … */
  readonly from: number;
  /** … up to and with `to`. */
  readonly to: number;
  /** How many events it holds. */
  readonly count: number;
  /** How many holes it announces. */
  readonly gaps: number;
  /** Closed for size: a rebuilt page would be the same. A page that is not full ends at what was the head. */
  readonly full: boolean;
}

const crlf = "\r\n";

/** Frames a text; `range` is the part of the log that it covers. */
export function createPage(text: string, range: Omit<Page, "framed" | "payload"> = loose): Page {
  const length = Buffer.byteLength(text);
  // An empty chunk would end an HTTP/1.1 body.
  if (length === 0) return { framed: nothing, payload: nothing, ...range };
  const head = length.toString(16) + crlf;
  const framed = Buffer.allocUnsafeSlow(head.length + length + crlf.length);
  framed.write(head, 0, "latin1");
  framed.write(text, head.length, "utf8");
  framed.write(crlf, head.length + length, "latin1");
  return { framed, payload: framed.subarray(head.length, head.length + length), ...range };
}

const loose = { from: 0, to: 0, count: 0, gaps: 0, full: false };
const nothing = Buffer.alloc(0);

/** Pages kept for subscribers that reach the same place a little later, over all views of a hub: beyond `bytes` the oldest are evicted. */
export class PageCache {
  readonly #bytes: number;
  readonly #homes = new Map<Page, Map<number, Page>>();
  #held = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Keeps a page under its `from` in `home`, in the place of an older one. */
  keep(page: Page, home: Map<number, Page>): void {
    const older = home.get(page.from);
    if (older) this.#drop(older);
    home.set(page.from, page);
    this.#homes.set(page, home);
    this.#held += weight(page);
    for (const oldest of this.#homes.keys()) {
      if (this.#held <= this.#bytes) break;
      this.#drop(oldest);
    }
  }

  #drop(page: Page): void {
    this.#homes.get(page)?.delete(page.from);
    this.#homes.delete(page);
    this.#held -= weight(page);
  }
}

/** What a page needs, its objects and its places in the maps included. */
function weight(page: Page): number {
  return page.framed.length + 512;
}
