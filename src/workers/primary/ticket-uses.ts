import type { TicketEntry } from "../../access/held-tickets.ts";
import type { WorkerProcess } from "./fork.ts";

/** Tracks where each ticket was last used, so that it serves only one connection at a time over all workers. */
export interface TicketUses {
  /** Records that a session with the ticket has begun in a worker, and ends an earlier one in another worker. */
  take(worker: WorkerProcess, entry: TicketEntry, number: number): void;
  /** Records that the worker has exited, and its sessions with it. */
  ended(worker: WorkerProcess): void;
}

/** The id of a command whose completion is not awaited. */
const unawaited = "";

/** Creates an empty tracker. A ticket's last use is forgotten with the ticket. */
export function createTicketUses(): TicketUses {
  const last = new WeakMap<TicketEntry, { readonly worker: WorkerProcess; readonly number: number }>();
  const gone = new WeakSet<WorkerProcess>();
  return {
    take(worker, entry, number) {
      const before = last.get(entry);
      last.set(entry, { worker, number });
      // A session in the same worker has ended already. `upTo` spares a session that has begun in the other worker
      // since.
      if (!before || before.worker === worker || gone.has(before.worker)) return;
      const match = { ticket: entry.held.ticket, upTo: before.number };
      const call = { name: "end", call: { match, reason: "replaced" } } as const;
      before.worker.channel.send({ kind: "ask", id: unawaited, call });
    },
    ended(worker) {
      gone.add(worker);
    },
  };
}
