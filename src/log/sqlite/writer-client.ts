import type { Logger } from "../../util/logger.ts";
import { isUnchanged, type TrimBounds } from "../engine/driver.ts";
import type { Appended, LogHead } from "../log.ts";
import {
  type AppendOutcome,
  type AppendRequest,
  type DatabaseSettings,
  eventWidth,
  type OpenOutcome,
  type StreamRow,
  type TrimResult,
} from "./messages.ts";
import { createThreadKeeper, WriterError } from "./writer-thread.ts";

/**
 * Sends all writes of a database to its writer thread. If the thread has died, the next request restarts it. Requests
 * reject with a {@link WriterError}, or with `store-closed`.
 */
export interface WriterClient {
  /** Resolves once the database is open. */
  start(): Promise<void>;
  open(stream: string): Promise<StreamRow>;
  /** Appends a group of one stream; groups of several streams may share a transaction. */
  append(group: readonly AppendRequest[]): Promise<readonly AppendOutcome[]>;
  /** Finds the outcomes of a group whose thread ended before it answered; `[]` if it was not appended. */
  settle(group: readonly AppendRequest[], head: number): Promise<readonly Appended[]>;
  trim(stream: number, bounds: TrimBounds, limit: number): Promise<TrimResult>;
  boundKeys(stream: number, max: number): Promise<void>;
  /** Removes a stream with its events and keys, in small steps, if it is unchanged; returns whether it was. */
  remove(stream: string, unchanged: LogHead | undefined): Promise<boolean>;
  /** Removes idempotency keys from before a time, in ms since 1970. */
  prune(before: number): Promise<void>;
  /** Closes the database after the pending requests. */
  close(): Promise<void>;
}

/** A transaction is complete with the group that brings it to this number of events. */
const transactionEvents = 4_096;

/** Maximum number of streams that one transaction opens, and of idempotency keys or events that one removes. */
const openedAtOnce = 1_000;
const prunedAtOnce = 1_000;
const removedAtOnce = 1_000;

/**
 * Makes the writer of a database. Call `start` before anything else. `onReopened` is called for each stream that a
 * restarted thread has reopened.
 */
export function createWriterClient(
  settings: DatabaseSettings,
  onReopened: (row: StreamRow) => void,
  logger: Logger,
): WriterClient {
  const { start, call, keep, forget, close } = createThreadKeeper(settings, onReopened, logger);

  const open = gather<string, OpenOutcome>({
    send: (streams) => call({ kind: "open", streams }),
    underWay: 1,
    maxWeight: openedAtOnce,
    weigh: () => 1,
  });

  const append = gather<readonly AppendRequest[], readonly AppendOutcome[]>({
    async send(groups) {
      const outcomes = await call<readonly AppendOutcome[]>({ kind: "append", appends: groups.flat() });
      let next = 0;
      return groups.map(({ length }) => outcomes.slice(next, (next += length)));
    },
    underWay: 2,
    maxWeight: transactionEvents,
    weigh: (group) => group.reduce((sum, { events }) => sum + events.length / eventWidth, 0),
  });

  async function openOne(stream: string): Promise<StreamRow> {
    const outcome = await open(stream);
    if ("code" in outcome) throw new WriterError(outcome, false);
    keep(stream);
    return outcome;
  }

  const trim: WriterClient["trim"] = (stream, bounds, limit) => call({ kind: "trim", stream, bounds, limit });

  return {
    start,
    open: openOne,
    append,
    settle: (appends, head) => call({ kind: "settle", appends, head }),
    trim,
    async remove(stream, unchanged) {
      const { id, epoch, head } = await openOne(stream);
      if (!isUnchanged({ epoch, head }, unchanged)) return false;
      const none = { before: undefined, events: 0, bytes: undefined };
      while ((await trim(id, none, removedAtOnce)).removed > 0);
      await call({ kind: "remove", stream: id });
      forget(stream);
      return true;
    },
    async boundKeys(stream, max) {
      await call({ kind: "bound-keys", stream, max });
    },
    async prune(before) {
      while ((await call<number>({ kind: "prune", before, limit: prunedAtOnce })) === prunedAtOnce);
    },
    close,
  };
}

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
