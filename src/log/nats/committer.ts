import { setTimeout as delay } from "node:timers/promises";
import { SpillwayError } from "../../errors.ts";
import type { LogEvent } from "../log.ts";
import { type Connection, patience } from "./connection.ts";
import { UnknownOutcomeError, WrongSequenceError } from "./failure.ts";
import type { Head } from "./head.ts";
import type { Health } from "./health.ts";
import type { Queries } from "./queries.ts";
import type { LogRecord, Standing } from "./record.ts";
import { createSentMessages, type Sent } from "./sent-messages.ts";

/** A batch inside a message, and the numbers it would get. */
export interface PlacedBatch {
  /** The same for the same batch only. */
  readonly identity: string;
  readonly first: number;
  readonly last: number;
}

/** A message that is to follow right behind the last one known. */
export interface Draft {
  readonly subject: string;
  readonly record: LogRecord;
  readonly data: Uint8Array;
  readonly events: readonly LogEvent[];
  /** The batches that are made again by their caller if this message fails. */
  readonly batches: readonly PlacedBatch[];
  /** Removes the messages before it on its subject. */
  readonly replaces?: boolean;
}

/** Makes the message that is to follow `standing`, behind the message `seq`; `undefined` if there is nothing to say. */
export type BuildDraft = (standing: Standing, seq: number) => Draft | undefined | Promise<Draft | undefined>;

/**
 * Appends messages to a log, one at a time, each right behind the last one that this node knows: NATS refuses it if another node
 * was faster, and it is made anew behind that one's.
 */
export interface Committer {
  /**
   * Resolves to the message that is now in the log, or to `undefined` if there was nothing to say.
   * @throws {SpillwayError} `store-unavailable` and other `store-…`; whatever `make` throws.
   */
  commit(make: BuildDraft): Promise<Draft | undefined>;
  /**
   * The numbers of a batch that is in the log although its append has failed, since nobody answered: each is given out once, to
   * the caller who makes the same append again.
   */
  adopt(identity: string): PlacedBatch | undefined;
  /** Is to be told of every record that comes in. */
  noticed(record: LogRecord): void;
}

/** How long to wait before a message is sent again, in ms. */
const retryWait = 50;

/** Makes the committer of a log. `onCommitted` is called with each message that was appended here. */
export function createCommitter(
  connection: Connection,
  queries: Queries,
  head: Head,
  health: Health,
  onCommitted: (seq: number, draft: Draft) => void,
): Committer {
  const sent = createSentMessages(head);
  let turn: Promise<unknown> = Promise.resolve();

  /** Sends a message; true if it is stored, false if another one is where it was to be. */
  async function send(message: Sent): Promise<boolean> {
    const { draft, expected } = message;
    try {
      const seq = await queries.publish({ ...draft, expected });
      if (seq > head.seq) onCommitted(seq, draft);
      return true;
    } catch (error) {
      if (!(error instanceof WrongSequenceError)) throw error;
      // While a cluster changes its leader, two servers may answer: one refuses what the other one stores. Only what has come in
      // behind the expected message tells.
      message.doubtful = true;
      if (error.last > expected) await head.reached(error.last);
      if (head.seq <= expected) throw new UnknownOutcomeError(error);
      return false;
    }
  }

  /** Sends a message until it is known what became of it. */
  async function settle(message: Sent, end: number): Promise<boolean> {
    for (;;) {
      try {
        return (await send(message)) || message.landed;
      } catch (error) {
        if (message.landed) return true;
        if (!(error instanceof UnknownOutcomeError)) throw error;
        message.doubtful = true;
        if (performance.now() >= end) throw error;
        await delay(retryWait);
        // What this finds out in vain, the next try will.
        await health.check().catch(() => {});
        if (head.ended) throw head.ended;
      }
    }
  }

  /** Makes a draft, and tells which message it is to follow. Nothing was sent yet: what fails may be asked for again. */
  async function build(make: BuildDraft, end: number): Promise<[draft: Draft | undefined, expected: number]> {
    for (;;) {
      await connection.ready();
      if (head.ended) throw head.ended;
      const expected = head.seq;
      try {
        return [await make(head.standing, expected), expected];
      } catch (error) {
        if (!(error instanceof UnknownOutcomeError) || performance.now() >= end) throw error;
        await delay(retryWait);
      }
    }
  }

  async function commit(make: BuildDraft): Promise<Draft | undefined> {
    const end = performance.now() + patience;
    for (;;) {
      const [draft, expected] = await build(make, end);
      if (!draft) return undefined;
      const message = sent.add(draft, expected);
      let isKnown = false;
      try {
        const isStored = await settle(message, end);
        isKnown = true;
        if (isStored) return draft;
      } finally {
        if (isKnown || !message.doubtful) sent.remove(message);
      }
      if (performance.now() >= end) {
        throw new SpillwayError("store-unavailable", "other nodes append all the time: there was no gap for this one");
      }
    }
  }

  return {
    commit(make) {
      const mine = turn.then(() => commit(make));
      turn = mine.catch(() => {});
      return mine;
    },
    adopt: (identity) => sent.adopt(identity),
    noticed: ({ token }) => sent.noticed(token),
  };
}
