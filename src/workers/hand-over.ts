import type { Worker } from "node:cluster";

/**
 * A worker that connections are handed to. Node's round robin gives each to the next one that has answered for the one before. But
 * connections stay for days: without more, a worker that took the place of one that died would have few of them for as long. So where
 * one has clearly fewer clients, it comes first.
 */
interface Taker {
  readonly send: (...args: unknown[]) => boolean;
  /** How many clients it serves. */
  readonly clients: () => number;
  /** The connections that it was given and has not answered for: the numbers that the answers have. */
  readonly unanswered: Set<unknown>;
}

/** What Node sends when it hands over a connection: a message, and the connection's handle. */
type HandOver = [message: { readonly act?: unknown; readonly seq?: unknown }, handle: unknown];

/** Those that listen. Node's cluster is one for the whole process, and so are they. */
const takers = new Set<Taker>();

/** Brings a worker's part of the connections to it, `clients` being how many it serves. */
export function shareConnections(worker: Worker, clients: () => number): void {
  const child = worker.process;
  const send = child.send.bind(child) as Taker["send"];
  const taker: Taker = { send, clients, unanswered: new Set() };
  child.send = (...args: unknown[]): boolean => (isHandOver(args) ? give(args, choose(taker)) : send(...args));
  // Before Node's own listener, which hands over the next one.
  child.prependListener("internalMessage", ({ ack }: { readonly ack?: unknown }) => taker.unanswered.delete(ack));
  worker.once("listening", () => takers.add(taker));
  child.once("exit", () => takers.delete(taker));
  // It has ended and all that it said was read. `disconnect` would be too early, and does not come while a connection is on its way.
  child.once("close", () => {
    // What it did not answer for is still open here, and Node (20, 22 and 24) would leave it so for good: answered for in its place, it
    // is closed. It may have been read from, so it cannot be given to another worker.
    for (const ack of taker.unanswered) child.emit("internalMessage", { cmd: "NODE_CLUSTER", ack, accepted: true });
  });
}

function isHandOver(args: readonly unknown[]): args is HandOver {
  return (args[0] as HandOver[0] | undefined)?.act === "newconn";
}

function give(handOver: HandOver, taker: Taker): boolean {
  taker.unanswered.add(handOver[0].seq);
  return taker.send(...handOver);
}

/** `next` is whose turn it is. */
function choose(next: Taker): Taker {
  // One that has not answered may be stopped: it gets no second one while there is another.
  const [first = next, ...others] = [next, ...takers].filter(({ unanswered }) => unanswered.size === 0);
  const fewest = others.reduce((a, b) => (b.clients() < a.clients() ? b : a), first);
  return first.clients() > fewest.clients() * clear.times + clear.more ? fewest : first;
}

/** By how much one's clients are more than another's where that is clear; the rest is left to the turns. */
const clear = { times: 17 / 16, more: 4 };
