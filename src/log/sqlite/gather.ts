/** Options of {@link gather}. */
export interface GatherOptions<Item, Result> {
  /** Makes one call for many items; resolves to a result for each. */
  send(items: readonly Item[]): Promise<readonly Result[]>;
  /** Maximum number of concurrent calls: one more than the writer works on, so that it never waits for this thread. */
  readonly underWay: number;
  /** A call is complete with the item that brings its weight to this maximum. */
  readonly maxWeight: number;
  weigh(item: Item): number;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Combines the items of one turn of the event loop, and those that wait for running calls, in a call: one transaction.
 */
export function gather<Item, Result>(options: GatherOptions<Item, Result>): (item: Item) => Promise<Result> {
  const queue: Waiting<Item, Result>[] = [];
  let underWay = 0;

  function takeGroup(): Waiting<Item, Result>[] {
    let weight = 0;
    const end = queue.findIndex(({ item }) => (weight += options.weigh(item)) >= options.maxWeight);
    return queue.splice(0, end === -1 ? queue.length : end + 1);
  }

  async function sendNext(): Promise<void> {
    const group = takeGroup();
    underWay++;
    try {
      const results = await options.send(group.map(({ item }) => item));
      for (const [index, { resolve }] of group.entries()) resolve(results[index]!);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
    underWay--;
    sendAll();
  }

  function sendAll(): void {
    while (queue.length > 0 && underWay < options.underWay) void sendNext();
  }

  return (item) =>
    new Promise((resolve, reject) => {
      if (queue.push({ item, resolve, reject }) === 1) queueMicrotask(sendAll);
    });
}
