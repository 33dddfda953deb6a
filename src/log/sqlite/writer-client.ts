import { SpillwayError } from "../../errors.ts";
import type { Logger } from "../../util/logger.ts";
import type { Retention } from "../log.ts";
import { createAppendQueue, type QueuedAppend } from "./append-queue.ts";
import { failureError } from "./failure.ts";
import { lossText } from "./losses.ts";
import type {
  AppendOutcome,
  DatabaseSettings,
  OpenOutcome,
  StreamState,
  WriterCall,
  WriterResult,
} from "./messages.ts";
import { createOpenQueue } from "./open-queue.ts";
import { startWriterThread, type WriterThread } from "./writer-thread.ts";

/** All that is written to the database. A writer thread that died is started anew by the next request. */
export interface WriterClient {
  /** Resolves once the database is open. */
  start(): Promise<void>;
  open(stream: string, retention: Retention): Promise<StreamState>;
  append(append: QueuedAppend): void;
  /** Applies retention to a stream, or to all (`undefined`); resolves to the events removed. */
  trim(stream: number | undefined, now: number): Promise<number>;
  /** Waits for the appends, then lets go of the database. */
  close(): Promise<void>;
}

/** What a writer tells unasked. */
export interface WriterEvents {
  onTrimmed(stream: number, earliest: number, bytes: number): void;
  /** The state of a stream after the thread was started anew. */
  onReopened(state: StreamState): void;
}

/** Makes the writer of a database; `start` it before anything else. */
export function createWriterClient(settings: DatabaseSettings, events: WriterEvents, logger: Logger): WriterClient {
  const { path } = settings;
  const retentions = new Map<string, Retention>();
  let thread: WriterThread | undefined;
  let opened = false;
  let closing = false;

  function startThread(onStarted: () => void, onRefused: (error: SpillwayError) => void): WriterThread {
    let running = false;
    const started = startWriterThread(
      { ...settings, resumed: opened },
      {
        onStarted(losses) {
          running = true;
          opened = true;
          for (const loss of losses) logger.warn({ path, ...loss }, lossText(loss));
          onStarted();
        },
        onHeadless: (failure) =>
          logger.warn({ path, ...failure }, "the heads of the log cannot be written: a loss would not be noticed"),
        onTrimmed: events.onTrimmed,
        onEnded(failure) {
          leave(started);
          if (running && !closing) logger.error({ path, ...failure }, "the log's writer thread has ended");
          onRefused(failureError(failure, path));
        },
      },
    );
    // Without all its streams a thread is of no use: the next request tries another.
    if (retentions.size > 0) reopen(started, retentions, events.onReopened, () => leave(started));
    return started;
  }

  function leave(left: WriterThread): void {
    if (thread !== left) return;
    thread = undefined;
    void left.close();
  }

  function runningThread(): WriterThread {
    thread ??= startThread(
      () => logger.info({ path }, "the log's writer thread was started anew"),
      () => {},
    );
    return thread;
  }

  function call(request: WriterCall): Promise<WriterResult> {
    return new Promise((resolve, reject) => {
      runningThread().call(request, resolve, (failure) => {
        reject(closing ? new SpillwayError("store-closed") : failureError(failure, path));
      });
    });
  }

  const openings = createOpenQueue(
    async (streams) => (await call({ kind: "open", streams })) as readonly OpenOutcome[],
    path,
  );

  const queue = createAppendQueue((appends, onOutcomes, onFailure) => {
    const onResult = (result: WriterResult): void => onOutcomes(result as readonly AppendOutcome[]);
    runningThread().call({ kind: "append", appends }, onResult, onFailure);
  });

  return {
    start: () =>
      new Promise((resolve, reject) => {
        thread = startThread(resolve, reject);
      }),
    async open(stream, retention) {
      const state = await openings.open(stream, retention);
      retentions.set(stream, retention);
      return state;
    },
    append: (append) => queue.push(append),
    trim: async (stream, now) => (await call({ kind: "trim", stream, now })) as number,
    async close() {
      await queue.idle();
      closing = true;
      await thread?.close();
    },
  };
}

/** Has a new thread open the streams of the one before. */
function reopen(
  thread: WriterThread,
  retentions: ReadonlyMap<string, Retention>,
  onReopened: WriterEvents["onReopened"],
  onFailed: () => void,
): void {
  const streams = Array.from(retentions, ([stream, retention]) => ({ stream, retention }));
  const onResult = (result: WriterResult): void => {
    for (const outcome of result as readonly OpenOutcome[]) {
      if ("code" in outcome) onFailed();
      else onReopened(outcome);
    }
  };
  thread.call({ kind: "open", streams }, onResult, onFailed);
}
