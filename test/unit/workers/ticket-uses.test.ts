import { expect, test } from "vitest";
import type { TicketEntry } from "../../../src/access/held-tickets.ts";
import type { WorkerProcess } from "../../../src/workers/primary/fork.ts";
import type { ToWorker } from "../../../src/workers/ipc/messages.ts";
import { createTicketUses } from "../../../src/workers/primary/ticket-uses.ts";

/** A worker that records its messages. */
function makeWorker(): { readonly process: WorkerProcess; readonly sent: ToWorker[] } {
  const sent: ToWorker[] = [];
  return {
    process: { channel: { send: (message: ToWorker) => sent.push(message) } } as unknown as WorkerProcess,
    sent,
  };
}

const [a, b] = ["a", "b"].map((ticket) => ({ held: { ticket } })) as unknown as [TicketEntry, TicketEntry];

const endOf = (ticket: string, upTo: number): object => ({
  kind: "ask",
  id: expect.any(String),
  call: { name: "end", call: { match: { ticket, upTo }, reason: "replaced" } },
});

test("the worker that used a ticket before is notified, up to the session that used it, and no other", () => {
  const uses = createTicketUses();
  const [first, second, third] = [makeWorker(), makeWorker(), makeWorker()];
  uses.take(first.process, a, 5);
  uses.take(third.process, b, 1);
  uses.take(second.process, a, 9);
  expect(first.sent).toEqual([endOf("a", 5)]);
  uses.take(first.process, a, 6);
  expect(second.sent).toEqual([endOf("a", 9)]);
  expect(first.sent).toHaveLength(1);
  expect(third.sent).toEqual([]);
});

test("a worker that uses a ticket again is not notified", () => {
  const uses = createTicketUses();
  const [first, second] = [makeWorker(), makeWorker()];
  for (const number of [1, 2, 3]) uses.take(first.process, a, number);
  expect(first.sent).toEqual([]);
  uses.take(second.process, a, 1);
  expect(first.sent).toEqual([endOf("a", 3)]);
});

test("a worker that has ended is not notified", () => {
  const uses = createTicketUses();
  const [first, second] = [makeWorker(), makeWorker()];
  uses.take(first.process, a, 1);
  uses.ended(first.process);
  uses.take(second.process, a, 1);
  expect(first.sent).toEqual([]);
});
