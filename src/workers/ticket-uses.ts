import type { WorkerProcess } from "./fork.ts";

/** Where each ticket was used last: it serves one connection at a time, over all workers. */
export interface TicketUses {
  /** A session of the worker has begun with the ticket; one in another worker ends. */
  take(worker: WorkerProcess, ticket: string, number: number): void;
  /** The worker's sessions are over. */
  ended(worker: WorkerProcess): void;
}

/** Tickets that are remembered at most; beyond it the one goes that was not used for longest. */
const most = 100_000;

/** Of an order that nobody waits to be done. */
const unawaited = -1;

/** Makes an empty memory. */
export function createTicketUses(): TicketUses {
  // In the order of the last use.
  const last = new Map<string, { readonly worker: WorkerProcess; readonly number: number }>();
  return {
    take(worker, ticket, number) {
      const before = last.get(ticket);
      last.delete(ticket);
      last.set(ticket, { worker, number });
      if (last.size > most) last.delete(last.keys().next().value!);
      // In the same worker it has ended already. The number keeps one alive there that began meanwhile.
      if (!before || before.worker === worker) return;
      const match = { ticket, upTo: before.number };
      before.worker.channel.send({ kind: "end", id: unawaited, match, reason: "replaced" });
    },
    ended(worker) {
      for (const [ticket, use] of last) if (use.worker === worker) last.delete(ticket);
    },
  };
}
