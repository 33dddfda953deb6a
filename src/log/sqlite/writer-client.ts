import { SpillwayError } from "../../errors.ts";
import type { Logger } from "../../util/logger.ts";
import type { TrimBounds } from "../engine/driver.ts";
import type { Appended } from "../log.ts";
import { failureError } from "./failure.ts";
import { gather } from "./gather.ts";
import { lossText } from "./losses.ts";
import {
  type AppendOutcome,
  type AppendRequest,
  type DatabaseSettings,
  eventWidth,
  type OpenOutcome,
  type StreamRow,
  type TrimResult,
  type WriterCall,
  type WriterResult,
} from "./messages.ts";
import { startWriterThread, WriterError, type WriterThread } from "./writer-thread.ts";

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
  /** Removes idempotency keys from before a time, in ms since 1970. */
  prune(before: number): Promise<void>;
  /** Closes the database after the pending requests. */
  close(): Promise<void>;
}

/** A transaction is complete with the group that brings it to this number of events. */
const transactionEvents = 4_096;

/** Maximum number of streams that one transaction opens, and of idempotency keys that one removes. */
const openedAtOnce = 1_000;
const prunedAtOnce = 1_000;

/** Restarts the writer thread when it has died. */
interface ThreadKeeper {
  start(): Promise<void>;
  call<Result extends WriterResult>(request: WriterCall): Promise<Result>;
  /** Reopens the stream of this name in each new thread from now on. */
  keep(stream: string): void;
  close(): Promise<void>;
}

function createThreadKeeper(
  settings: DatabaseSettings,
  onReopened: (row: StreamRow) => void,
  logger: Logger,
): ThreadKeeper {
  const { path } = settings;
  const opened = new Set<string>();
  let thread: WriterThread | undefined;
  let wasOpen = false;
  let closing = false;

  function startThread(onStarted: () => void, onRefused: (error: SpillwayError) => void): WriterThread {
    let running = false;
    const started = startWriterThread(
      { ...settings, resumed: wasOpen },
      {
        onStarted(losses) {
          running = true;
          wasOpen = true;
          for (const loss of losses) logger.warn({ path, ...loss }, lossText(loss));
          onStarted();
        },
        onHeadless: (failure) =>
          logger.warn(
            { path, ...failure },
            "the .heads file of the log cannot be written: lost events would not be noticed",
          ),
        onEnded(failure) {
          leave(started);
          if (running && !closing) logger.error({ path, ...failure }, "the log's writer thread has ended");
          onRefused(failureError(failure, path));
        },
      },
    );
    if (opened.size > 0) void reopen(started);
    return started;
  }

  /**
   * Reopens the streams of the previous thread. If one of them fails, the thread is closed, and the next request
   * retries.
   */
  async function reopen(started: WriterThread): Promise<void> {
    try {
      const outcomes = (await started.call({ kind: "open", streams: [...opened] })) as readonly OpenOutcome[];
      if (outcomes.some((outcome) => "code" in outcome)) leave(started);
      else for (const row of outcomes) onReopened(row as StreamRow);
    } catch {
      leave(started);
    }
  }

  function leave(left: WriterThread): void {
    if (thread !== left) return;
    thread = undefined;
    void left.close();
  }

  async function call<Result extends WriterResult>(request: WriterCall): Promise<Result> {
    thread ??= startThread(
      () => logger.info({ path }, "the log's writer thread was restarted"),
      () => {},
    );
    try {
      return (await thread.call(request)) as Result;
    } catch (error) {
      throw closing ? new SpillwayError("store-closed") : error;
    }
  }

  return {
    start: () =>
      new Promise((resolve, reject) => {
        thread = startThread(resolve, reject);
      }),
    call,
    keep: (stream) => void opened.add(stream),
    async close() {
      closing = true;
      await thread?.close();
    },
  };
}

/**
 * Makes the writer of a database. Call `start` before anything else. `onReopened` is called for each stream that a
 * restarted thread has reopened.
 */
export function createWriterClient(
  settings: DatabaseSettings,
  onReopened: (row: StreamRow) => void,
  logger: Logger,
): WriterClient {
  const { start, call, keep, close } = createThreadKeeper(settings, onReopened, logger);

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

  return {
    start,
    async open(stream) {
      const outcome = await open(stream);
      if ("code" in outcome) throw new WriterError(outcome, false);
      keep(stream);
      return outcome;
    },
    append,
    settle: (appends, head) => call({ kind: "settle", appends, head }),
    trim: (stream, bounds, limit) => call({ kind: "trim", stream, bounds, limit }),
    async boundKeys(stream, max) {
      await call({ kind: "bound-keys", stream, max });
    },
    async prune(before) {
      while ((await call<number>({ kind: "prune", before, limit: prunedAtOnce })) === prunedAtOnce);
    },
    close,
  };
}
