import type { Retention } from "../log.ts";
import { failureError } from "./failure.ts";
import type { OpenOutcome, OpenStream, StreamState } from "./messages.ts";

/** Gathers the streams that are opened in one turn, so that they share a transaction. */
export interface OpenQueue {
  /** Resolves to the stream's state. */
  open(stream: string, retention: Retention): Promise<StreamState>;
}

interface Waiting extends OpenStream {
  resolve(state: StreamState): void;
  reject(error: unknown): void;
}

/** Makes an empty queue; `send` resolves to an outcome for each stream. `path` is the database's, for messages. */
export function createOpenQueue(
  send: (streams: readonly OpenStream[]) => Promise<readonly OpenOutcome[]>,
  path: string,
): OpenQueue {
  const queue: Waiting[] = [];

  async function sendAll(): Promise<void> {
    const group = queue.splice(0);
    try {
      const outcomes = await send(group.map(({ stream, retention }) => ({ stream, retention })));
      for (const [index, { resolve, reject }] of group.entries()) {
        const outcome = outcomes[index]!;
        if ("code" in outcome) reject(failureError(outcome, path));
        else resolve(outcome);
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  return {
    open: (stream, retention) =>
      new Promise((resolve, reject) => {
        if (queue.push({ stream, retention, resolve, reject }) === 1) queueMicrotask(() => void sendAll());
      }),
  };
}
