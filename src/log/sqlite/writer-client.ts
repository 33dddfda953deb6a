import { Worker } from "node:worker_threads";
import type { Logger } from "../../util/logger.ts";
import type { Retention } from "../log.ts";
import { createAppendQueue, type QueuedAppend } from "./append-queue.ts";
import { type Failure, failureError } from "./failure.ts";
import type {
  AppendOutcome,
  OpenRequest,
  StreamState,
  WriterMessage,
  WriterRequest,
  WriterResult,
  WriterSettings,
} from "./messages.ts";

/** The writer thread, seen from the store. A thread that died is started anew by the next request. */
export interface WriterClient {
  /** Resolves once the database is open. */
  start(): Promise<void>;
  open(stream: string, retention: Retention): Promise<StreamState>;
  append(append: QueuedAppend): void;
  /** Applies retention to a stream, or to all; resolves to the events removed. */
  trim(stream: number | undefined, now: number): Promise<number>;
  /** Waits for the appends, then ends the thread. */
  close(): Promise<void>;
}

/** What a writer has to tell unasked. */
export interface WriterEvents {
  onTrimmed(stream: number, earliest: number, bytes: number): void;
  /** The state of a stream after the thread was started anew. */
  onReopened(state: StreamState): void;
}

interface Pending {
  resolve(result: WriterResult): void;
  reject(failure: Failure): void;
}

type Unnumbered<Request> = Request extends WriterRequest ? Omit<Request, "id"> : never;
