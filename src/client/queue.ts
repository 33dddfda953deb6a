/** Messages between a connection and their reader, up to a limit. */
export class Queue<T extends { readonly raw: string }> {
  #incoming: T[] = [];
  /** Those to take next, the first one last. */
  #outgoing: T[] = [];
  #length = 0;
  #ended = false;
  #wake: () => void = () => {};
  readonly #limit: number;

  /** @param limit how many characters are held before `room` waits */
  constructor(limit: number) {
    this.#limit = limit;
  }

  push(item: T): void {
    this.#incoming.push(item);
    this.#length += lengthOf(item);
    this.#wake();
  }

  /** Resolves when there is room for more, or when the queue has ended. */
  async room(): Promise<void> {
    while (this.#length > this.#limit && !this.#ended) await this.#changed();
  }

  /** The next item. Waits for it; `undefined` once the queue has ended and is empty. */
  async take(): Promise<T | undefined> {
    for (;;) {
      if (this.#outgoing.length === 0) {
        this.#outgoing = this.#incoming.toReversed();
        this.#incoming = [];
      }
      const item = this.#outgoing.pop();
      if (item) this.#length -= lengthOf(item);
      else if (!this.#ended) {
        await this.#changed();
        continue;
      }
      this.#wake();
      return item;
    }
  }

  /** Ends the queue; items that are held can still be taken, unless they are to be dropped. */
  end(drop: boolean): void {
    this.#ended = true;
    if (drop) this.#incoming = this.#outgoing = [];
    this.#wake();
  }

  /** Only one side waits at a time: the reader while it is empty, the connection while it is full. */
  #changed(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}

/** With an allowance for the object, so that empty events are bounded too. */
function lengthOf({ raw }: { readonly raw: string }): number {
  return raw.length + 99;
}
