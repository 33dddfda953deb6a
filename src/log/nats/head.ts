import { SpillwayError } from "../../errors.ts";
import type { StoredState } from "../engine/driver.ts";
import { patience } from "./connection.ts";
import type { LogRecord, Standing } from "./record.ts";

/** What this node knows of a log: its standing after a message of its JetStream stream. */
export interface Head {
  /** The last message that this node knows; it also knows all earlier ones. */
  readonly seq: number;
  /** The log's standing after that message. */
  readonly standing: Standing;
  /** The last message with a record, and the token in it. */
  readonly recordSeq: number;
  readonly token: string;
  /** Why the log has ended: it was replaced by one with another epoch, or the store was closed. */
  readonly ended: Error | undefined;
  /** Records the next message. A message without a record does not change the standing. */
  advance(seq: number, record: LogRecord | undefined): void;
  /** Ends the log: rejects waiting and later calls of {@link Head.reached}. */
  end(error: Error): void;
  /**
   * Resolves once the message `seq` is known.
   * @throws {SpillwayError} `store-unavailable` after {@link patience}, or why the log has ended.
   */
  reached(seq: number): Promise<void>;
}

interface Waiter {
  readonly seq: number;
  settle(error?: Error): void;
}

/** Makes the head of a log at its last record. */
export function createHead(seq: number, record: LogRecord): Head {
  let standing: Standing = record;
  let { token } = record;
  let [known, recordSeq] = [seq, seq];
  let ended: Error | undefined;
  const waiters = new Set<Waiter>();

  function settle(isDone: (waiter: Waiter) => boolean, error?: Error): void {
    for (const waiter of waiters) if (isDone(waiter)) waiter.settle(error);
  }

  return {
    get seq() {
      return known;
    },
    get standing() {
      return standing;
    },
    get recordSeq() {
      return recordSeq;
    },
    get token() {
      return token;
    },
    get ended() {
      return ended;
    },
    advance(next, nextRecord) {
      known = next;
      if (nextRecord) {
        standing = nextRecord;
        ({ token } = nextRecord);
        recordSeq = next;
      }
      settle((waiter) => waiter.seq <= known);
    },
    end(error) {
      ended ??= error;
      settle(() => true, ended);
    },
    reached(wanted) {
      if (ended) return Promise.reject(ended);
      if (wanted <= known) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const waiter: Waiter = {
          seq: wanted,
          settle(error) {
            clearTimeout(timer);
            waiters.delete(waiter);
            if (error) reject(error);
            else resolve();
          },
        };
        const late = new SpillwayError("store-unavailable", "this node has fallen behind the log in NATS");
        const timer = setTimeout(() => waiter.settle(late), patience);
        waiters.add(waiter);
      });
    },
  };
}

/** A log's state after the last known message: every change of the log is a message. */
export function stateOf({ seq, standing }: Pick<Head, "seq" | "standing">): StoredState {
  const { epoch, head, earliest, upstreamCursor, bytes, trimmed, time } = standing;
  return { epoch, head, earliest, upstreamCursor, bytes: bytes - trimmed, lastTime: time, revision: seq };
}
