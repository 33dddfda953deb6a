import { UpstreamFailure } from "../failure.ts";

/** Holds what a driver passes to its callbacks until it is requested. The driver's own flow control bounds it. */
export interface Inbox<Item> {
  readonly size: number;
  push(item: Item): void;
  /** Ends it after the items in it: normally, or with an error. Only the first call counts. */
  end(error?: Error): void;
  /**
   * Yields all items that are there, at least one, again and again.
   * @throws {Error} that of `end`; `upstream-ended` when the signal aborts.
   */
  take(signal: AbortSignal): AsyncGenerator<Item[], void, undefined>;
}

export function createInbox<Item>(): Inbox<Item> {
  let items: Item[] = [];
  let ending: { readonly error: Error | undefined } | undefined;
  let wake = (): void => {};

  function end(error?: Error): void {
    ending ??= { error };
    wake();
  }

  return {
    get size() {
      return items.length;
    },
    push(item) {
      if (ending) return;
      items.push(item);
      wake();
    },
    end,
    async *take(signal) {
      const abort = (): void => end(new UpstreamFailure("upstream-ended"));
      signal.addEventListener("abort", abort);
      try {
        while (!signal.aborted) {
          if (items.length === 0 && !ending) await new Promise<void>((resolve) => (wake = resolve));
          if (items.length === 0) break;
          const taken = items;
          items = [];
          yield taken;
        }
        if (ending?.error) throw ending.error;
      } finally {
        signal.removeEventListener("abort", abort);
      }
    },
  };
}
