import type { TicketEntry } from "../../access/held-tickets.ts";
import type { WorkerProcess } from "./fork.ts";

/** Where each ticket was used last: it serves one connection at a time, over all workers. */
export interface TicketUses {
  /** A session of the worker has begun with the ticket; one in another worker ends. */
  take(worker: WorkerProcess, entry: TicketEntry, number: number): void;
  /** The worker's sessions are over. */
  ended(worker: WorkerProcess): void;
}

/** Of an order that nobody waits to be done. */
const unawaited = -1;

/** Makes an empty memory. A ticket's use is forgotten with the ticket. */
export function createTicketUses(): TicketUses {
  const last = new WeakMap<TicketEntry, { readonly worker: WorkerProcess; readonly number: number }>();
  const gone = new WeakSet<WorkerProcess>();
  return {
    take(worker, entry, number) {
      const before = last.get(entry);
      last.set(entry, { worker, number });
      // In the same worker it has ended already. The number keeps one alive there that began meanwhile.
      if (!before || before.worker === worker || gone.has(before.worker)) return;
      const match = { ticket: entry.held.ticket, upTo: before.number };
      before.worker.channel.send({ kind: "end", id: unawaited, match, reason: "replaced" });
    },
    ended(worker) {
      gone.add(worker);
    },
  };
}
