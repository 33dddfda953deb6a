import { Worker } from "node:worker_threads";
import { SpillwayError } from "../../errors.ts";
import type { Logger } from "../../util/logger.ts";
import { closeGate, createExitGate } from "./exit-gate.ts";
import { type Failure, failureError, toFailure } from "./failure.ts";
import { type Loss, lossText } from "./losses.ts";
import type {
  DatabaseSettings,
  OpenOutcome,
  StreamRow,
  WriterCall,
  WriterMessage,
  WriterRequest,
  WriterResult,
  WriterSettings,
} from "./messages.ts";

/** A running writer thread, from its start to its end. */
interface WriterThread {
  /** Sends a request; answers come in the order of the requests. Rejects with a {@link WriterError}. */
  call(call: WriterCall): Promise<WriterResult>;
  /** Ends the thread after the requests sent before; resolves once it has ended. */
  close(): Promise<void>;
}

/** The events of a writer thread. */
interface WriterThreadEvents {
  /** The database is open; `losses` are the events that it has lost. */
  onStarted(losses: readonly Loss[]): void;
  /** The heads cannot be written. */
  onHeadless(failure: Failure): void;
  /** The thread has ended, unexpectedly or by `close`; all unanswered requests have failed. */
  onEnded(failure: Failure): void;
}

/** Why a request failed. */
export class WriterError extends Error {
  readonly failure: Failure;
  /** Whether the thread ended before it answered, so that the request may have been executed. */
  readonly unanswered: boolean;

  constructor(failure: Failure, unanswered: boolean) {
    super(failure.message);
    this.failure = failure;
    this.unanswered = unanswered;
  }
}

interface Pending {
  resolve(result: WriterResult): void;
  reject(error: WriterError): void;
}

/** Starts a writer thread. It keeps the process alive only while a request is unanswered. */
function startWriterThread(settings: Omit<WriterSettings, "exitGate">, events: WriterThreadEvents): WriterThread {
  const exitGate = createExitGate();
  const workerData: WriterSettings = { ...settings, exitGate };
  const worker = new Worker(new URL("./writer.js", import.meta.url), { workerData });
  const onProcessExit = (): void => closeGate(exitGate);
  process.on("exit", onProcessExit);
  const pending = new Map<number, Pending>();
  let nextId = 0;
  let running = false;
  let closing = false;
  let ended = false;

  function take(id: number): Pending {
    const request = pending.get(id)!;
    pending.delete(id);
    rest();
    return request;
  }

  /** Lets the process exit if no request is pending. */
  function rest(): void {
    if (pending.size === 0 && !closing) worker.unref();
  }

  function started(losses: readonly Loss[]): void {
    running = true;
    rest();
    events.onStarted(losses);
  }

  function end(failure: Failure): void {
    if (ended) return;
    ended = true;
    process.off("exit", onProcessExit);
    for (const { reject } of pending.values()) reject(new WriterError(failure, running));
    pending.clear();
    events.onEnded(failure);
  }

  worker.on("message", (message: WriterMessage) => {
    if (message.kind === "answer") take(message.id).resolve(message.result);
    else if (message.kind === "failed") take(message.id).reject(new WriterError(message.failure, false));
    else if (message.kind === "headless") events.onHeadless(message.failure);
    else if (message.kind === "refused") end(message.failure);
    else started(message.losses);
  });
  worker.on("error", (error) => end(toFailure(error)));
  worker.on("exit", () => end({ code: "store-unavailable", message: "the writer thread has ended" }));

  return {
    call: (call) =>
      new Promise((resolve, reject) => {
        const id = nextId++;
        pending.set(id, { resolve, reject });
        worker.ref();
        worker.postMessage({ id, call } satisfies WriterRequest);
      }),
    async close() {
      if (ended) return;
      closing = true;
      worker.ref();
      worker.postMessage({ id: nextId++, call: { kind: "close" } } satisfies WriterRequest);
      await new Promise((resolve) => worker.once("exit", resolve));
    },
  };
}

/** Restarts the writer thread when it has died. */
export interface ThreadKeeper {
  /** Resolves once the database is open. */
  start(): Promise<void>;
  /** Sends a request to the thread, and starts one if none is running. */
  call<Result extends WriterResult>(request: WriterCall): Promise<Result>;
  /** Reopens the stream of this name in each new thread from now on. */
  keep(stream: string): void;
  /** No longer reopens it. */
  forget(stream: string): void;
  /** Ends the thread after the pending requests. */
  close(): Promise<void>;
}

/** Makes the keeper of one writer thread. `onReopened` is called for each stream that a restarted thread has reopened. */
export function createThreadKeeper(
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
    forget: (stream) => void opened.delete(stream),
    async close() {
      closing = true;
      await thread?.close();
    },
  };
}
