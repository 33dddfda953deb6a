import type { Worker } from "node:cluster";

/**
 * A worker that accepts connections. Node's round robin gives each connection to the next worker that has acknowledged
 * its previous one. But connections stay open for days, so a worker that replaced a dead one would have fewer clients
 * for as long. Therefore a worker with clearly fewer clients gets the next connection.
 */
interface BalancedWorker {
  readonly send: (...args: unknown[]) => boolean;
  /** The number of clients that the worker serves. */
  readonly clients: () => number;
  /** The sequence numbers of the connections that the worker has not acknowledged yet. */
  readonly unacknowledged: Set<unknown>;
}

/** The arguments with which Node passes a connection to a worker: a message, and the connection's handle. */
type HandOver = [message: { readonly act?: unknown; readonly seq?: unknown }, handle: unknown];

/** The workers that listen. Global like Node's cluster module. */
const workers = new Set<BalancedWorker>();

/** Balances new connections over the workers by the number of clients that each of them serves. */
export function balanceConnections(worker: Worker, clients: () => number): void {
  const child = worker.process;
  const send = child.send.bind(child) as BalancedWorker["send"];
  const balanced: BalancedWorker = { send, clients, unacknowledged: new Set() };
  child.send = (...args: unknown[]): boolean => (isHandOver(args) ? give(args, choose(balanced)) : send(...args));
  // Runs before Node's own listener, which passes the next connection.
  child.prependListener("internalMessage", ({ ack }: { readonly ack?: unknown }) => {
    balanced.unacknowledged.delete(ack);
  });
  worker.once("listening", () => workers.add(balanced));
  child.once("exit", () => workers.delete(balanced));
  // The worker has exited and all its messages were read. `disconnect` would be too early, and is not emitted while a
  // connection is being passed.
  child.once("close", () => {
    // Node (20, 22 and 24) never closes this process's handles of connections that the worker did not acknowledge.
    // Acknowledging them in its place closes them. The worker may have read from them, so another worker cannot take
    // over.
    for (const ack of balanced.unacknowledged) {
      child.emit("internalMessage", { cmd: "NODE_CLUSTER", ack, accepted: true });
    }
  });
}

function isHandOver(args: readonly unknown[]): args is HandOver {
  return (args[0] as HandOver[0] | undefined)?.act === "newconn";
}

function give(handOver: HandOver, balanced: BalancedWorker): boolean {
  balanced.unacknowledged.add(handOver[0].seq);
  return balanced.send(...handOver);
}

/** Chooses the worker for a connection. `next` is the choice of Node's round robin. */
function choose(next: BalancedWorker): BalancedWorker {
  // A worker with an unacknowledged connection may be stalled, so it gets another one only if all workers have one.
  const [first = next, ...others] = [next, ...workers].filter(({ unacknowledged }) => unacknowledged.size === 0);
  const fewest = others.reduce((a, b) => (b.clients() < a.clients() ? b : a), first);
  return first.clients() > fewest.clients() * imbalance.times + imbalance.more ? fewest : first;
}

/**
 * The ratio and margin beyond which a worker has clearly more clients than another. Up to them, the round robin
 * decides.
 */
const imbalance = { times: 17 / 16, more: 4 };
