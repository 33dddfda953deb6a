import { SpillwayError } from "../../errors.ts";
import type { Appended } from "../log.ts";
import { type Batch, groupLength } from "./append-queue.ts";
import { storeError } from "./failure.ts";
import type { Outcome } from "./group.ts";
import { createGroupSender, type GroupSenderDependencies } from "./group-sender.ts";
import type { PostgresLog } from "./postgres-log.ts";

/** Appends to one stream. */
export interface Appender {
  /** Appends a batch, in the order of the calls; together with all that are called while another group is under way. */
  append(batch: Batch): Promise<Appended>;
  /** Resolves once nothing is queued or under way. */
  close(): Promise<void>;
}

interface Queued {
  readonly batch: Batch;
  settle(outcome: Outcome): void;
}

/** Makes the appender of a log. */
export function createAppender(log: PostgresLog, dependencies: GroupSenderDependencies): Appender {
  const sender = createGroupSender(log, dependencies);
  const queue: Queued[] = [];
  const idlers: (() => void)[] = [];
  let pending = 0;
  let sending = false;

  async function sendAll(): Promise<void> {
    if (sending) return;
    sending = true;
    while (queue.length > 0) {
      const group = queue.splice(0, groupLength(queue));
      const batches = group.map(({ batch }) => batch);
      const outcomes = await sender.send(batches).catch((error: unknown) => batches.map(() => storeError(error)));
      for (const [place, { settle }] of group.entries()) settle(outcomes[place]!);
    }
    sending = false;
  }

  /** Answers a caller once the log's own state includes what it appended. */
  async function answer(outcome: Outcome): Promise<Appended> {
    if (!(outcome instanceof SpillwayError)) await log.reached(outcome.last);
    if (--pending === 0) for (const resolve of idlers.splice(0)) resolve();
    if (outcome instanceof SpillwayError) throw outcome;
    return outcome;
  }

  return {
    append(batch) {
      pending++;
      // Not at once: the appends of one turn are to go together.
      if (queue.length === 0) queueMicrotask(() => void sendAll());
      return new Promise((resolve, reject) => {
        queue.push({ batch, settle: (outcome) => void answer(outcome).then(resolve, reject) });
      });
    },
    async close() {
      sender.hurry();
      if (pending > 0) await new Promise<void>((resolve) => idlers.push(resolve));
    },
  };
}
