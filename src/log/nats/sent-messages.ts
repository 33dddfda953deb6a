import type { Draft, PlacedBatch } from "./committer.ts";
import type { Head } from "./head.ts";

/** A message that was sent. */
export interface Sent {
  readonly draft: Draft;
  /** It is stored right behind this message, or not at all. */
  readonly expected: number;
  /** The tail has brought it. */
  landed: boolean;
  /** An answer did not come: it may be stored. */
  doubtful: boolean;
}

/** The messages of which this node does not know what became of them, and what is in the log though its append has failed. */
export interface SentMessages {
  add(draft: Draft, expected: number): Sent;
  /** Its fate is known to whoever waits for it. */
  remove(message: Sent): void;
  /** Takes note of a message that the tail has brought. */
  noticed(token: string): void;
  /** A batch that is in the log although its append has failed; each is given out once. */
  adopt(identity: string): PlacedBatch | undefined;
}

/** Batches that wait for their caller, at most. */
const maxOrphans = 4_096;

/** Makes an empty set. */
export function createSentMessages(head: Head): SentMessages {
  const byToken = new Map<string, Sent>();
  const orphans: PlacedBatch[] = [];

  /** Once a later message is known, one is in the log or never will be. */
  function settle(): void {
    for (const [token, { draft, expected, landed }] of byToken) {
      if (head.seq <= expected) continue;
      byToken.delete(token);
      if (landed) orphans.push(...draft.batches);
    }
    orphans.splice(0, orphans.length - maxOrphans);
  }

  return {
    add(draft, expected) {
      const message: Sent = { draft, expected, landed: false, doubtful: false };
      byToken.set(draft.record.token, message);
      return message;
    },
    remove: ({ draft }) => void byToken.delete(draft.record.token),
    noticed(token) {
      const message = byToken.get(token);
      if (message) message.landed = true;
    },
    adopt(identity) {
      settle();
      const index = orphans.findIndex((batch) => batch.identity === identity);
      return index === -1 ? undefined : orphans.splice(index, 1)[0];
    },
  };
}
