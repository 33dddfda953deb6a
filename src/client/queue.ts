/** Messages between a connection and their reader, up to a limit. */
export interface Queue<T> {
  push(item: T): void;
  /** Resolves when there is room for more, or when the queue has ended. */
  room(): Promise<void>;
  /** The next item. Waits for it; `undefined` once the queue has ended and is empty. */
  take(): Promise<T | undefined>;
  /** Ends the queue; items that are held can still be taken, unless they are to be dropped. */
  end(drop: boolean): void;
}

/** @param limit how many characters are held before `room` waits */
export function createQueue<T extends { readonly raw: string }>(limit: number): Queue<T> {
  let incoming: T[] = [];
  /** Those to take next, the first one last. */
  let outgoing: T[] = [];
  let length = 0;
  let ended = false;
  let wake = (): void => {};
  /** Only one side waits at a time: the reader while it is empty, the connection while it is full. */
  const change = (): Promise<void> => new Promise((resolve) => (wake = resolve));
  /** With an allowance for the object, so that empty events are bounded too. */
  const add = (sign: number, { raw }: T): number => (length += sign * (raw.length + 99));
  return {
    push(item) {
      incoming.push(item);
      add(1, item);
      wake();
    },
    async room() {
      while (length > limit && !ended) await change();
    },
    async take() {
      while (!length && !ended) await change();
      if (!outgoing.length) {
        outgoing = incoming.toReversed();
        incoming = [];
      }
      const item = outgoing.pop();
      if (item) add(-1, item);
      wake();
      return item;
    },
    end(drop) {
      ended = true;
      if (drop) incoming = outgoing = [];
      wake();
    },
  };
}
