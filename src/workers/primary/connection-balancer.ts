import type { Worker } from "node:cluster";

/**
 * A worker that accepts connections. Node's round robin gives each connection to the next worker that has acknowledged its previous
 * one. But connections stay open for days, so a worker that replaced a dead one would have few of them for as long. A worker with
 * clearly fewer clients therefore comes first.
 */
interface BalancedWorker {
  readonly send: (...args: unknown[]) => boolean;
  /** How many clients it serves. */
  readonly clients: () => number;
  /** The connections that it was given and has not answered for: the numbers that the answers have. */
  readonly unanswered: Set<unknown>;
}

/** What Node sends when it hands over a connection: a message, and the connection's handle. */
type HandOver = [message: { readonly act?: unknown; readonly seq?: unknown }, handle: unknown];

/** Those that listen. Node's cluster is one for the whole process, and so are they. */
const workers = new Set<BalancedWorker>();

/** Balances new connections over the workers by the clients that each of them serves. */
export function balanceConnections(worker: Worker, clients: () => number): void {
  const child = worker.process;
  const send = child.send.bind(child) as BalancedWorker["send"];
  const balanced: BalancedWorker = { send, clients, unanswered: new Set() };
  child.send = (...args: unknown[]): boolean => (isHandOver(args) ? give(args, choose(balanced)) : send(...args));
  // Before Node's own listener, which hands over the next one.
  child.prependListener("internalMessage", ({ ack }: { readonly ack?: unknown }) => balanced.unanswered.delete(ack));
  worker.once("listening", () => workers.add(balanced));
  child.once("exit", () => workers.delete(balanced));
  // It has ended and all that it said was read. `disconnect` would be too early, and does not come while a connection is on its way.
  child.once("close", () => {
    // What it did not answer for is still open here, and Node (20, 22 and 24) would leave it so for good: answered for in its place, it
    // is closed. It may have been read from, so it cannot be given to another worker.
    for (const ack of balanced.unanswered) child.emit("internalMessage", { cmd: "NODE_CLUSTER", ack, accepted: true });
  });
}

function isHandOver(args: readonly unknown[]): args is HandOver {
  return (args[0] as HandOver[0] | undefined)?.act === "newconn";
}

function give(handOver: HandOver, balanced: BalancedWorker): boolean {
  balanced.unanswered.add(handOver[0].seq);
  return balanced.send(...handOver);
}

/** `next` is whose turn it is. */
function choose(next: BalancedWorker): BalancedWorker {
  // One that has not answered may be stopped: it gets no second one while there is another.
  const [first = next, ...others] = [next, ...workers].filter(({ unanswered }) => unanswered.size === 0);
  const fewest = others.reduce((a, b) => (b.clients() < a.clients() ? b : a), first);
  return first.clients() > fewest.clients() * imbalance.times + imbalance.more ? fewest : first;
}

/** A worker has clearly more clients than another beyond this ratio and margin; within it, the round robin decides. */
const imbalance = { times: 17 / 16, more: 4 };
