import { Worker } from "node:worker_threads";
import { closeGate, createExitGate } from "./exit-gate.ts";
import { type Failure, toFailure } from "./failure.ts";
import type { Loss } from "./losses.ts";
import type { WriterCall, WriterMessage, WriterRequest, WriterResult, WriterSettings } from "./messages.ts";

/** A running writer thread, from its start to its end. */
export interface WriterThread {
  /** Sends a request; answers come in the order of the requests. Rejects with a {@link WriterError}. */
  call(call: WriterCall): Promise<WriterResult>;
  /** Ends the thread after the requests sent before; resolves once it has ended. */
  close(): Promise<void>;
}

/** The events of a writer thread. */
export interface WriterThreadEvents {
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
export function startWriterThread(
  settings: Omit<WriterSettings, "exitGate">,
  events: WriterThreadEvents,
): WriterThread {
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
