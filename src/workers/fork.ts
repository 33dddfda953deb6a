import cluster, { type Worker } from "node:cluster";
import type { Duplex } from "node:stream";
import { SpillwayError } from "../errors.ts";
import { openChannel, type Channel } from "./channel.ts";
import { createFeed, type Feed } from "./feed.ts";
import type { ToPrimary, ToWorker } from "./messages.ts";

/** A worker's process as the primary sees it. */
export interface WorkerProcess {
  readonly pid: number;
  readonly channel: Channel<ToWorker>;
  readonly feed: Feed;
  kill(): void;
}

export interface WorkerProcessEvents {
  onMessage(message: ToPrimary): void;
  /** Called once, when the process has ended or could not be started. */
  onEnd(ending: Ending): void;
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
}

/** The channel's file descriptor in the worker; Node's own, for connections that it hands over, is the one before. */
export const channelDescriptor = 4;

/** Says how workers are started from here on. `program` is the file that they run. */
export function setUpWorkers(program: string): void {
  // Each connection goes to the next worker, so that they come out even. With the kernel's own choice they do not.
  cluster.schedulingPolicy = cluster.SCHED_RR;
  // Nothing of this command line, which may hold a secret.
  const stdio = ["inherit", "inherit", "inherit", "ipc", "pipe"];
  cluster.setupPrimary({ exec: program, args: [], stdio });
}

/** Starts a worker. */
export function forkWorker({ onMessage, onEnd }: WorkerProcessEvents): WorkerProcess {
  const worker = cluster.fork();
  // A process that cannot be made says so twice; without a pid it is found out below.
  worker.on("error", () => {});
  const stream = worker.process.stdio?.[channelDescriptor] as Duplex | undefined;
  const { pid } = worker.process;
  if (!stream || pid === undefined) throw new SpillwayError("worker-failed", "a worker process cannot be started");
  const channel = openChannel<ToWorker, ToPrimary>(stream, {
    onMessage,
    onDrain: () => feed.onDrain(),
    // The worker has ended, or ends itself now.
    onClose() {},
  });
  const feed = createFeed(channel);
  closeUnanswered(worker);
  worker.process.once("exit", (code, signal) => {
    // Where several end at once, one's end is known before the end of its channel: until then Node would hand it more connections.
    if (worker.isConnected()) worker.disconnect();
    // What it still had to say comes too late: nobody is there to answer.
    stream.destroy();
    onEnd({ code, signal });
  });
  return { pid, channel, feed, kill: () => void worker.process.kill("SIGKILL") };
}

/** What can be handed to another process. */
interface Handle {
  /** Does nothing a second time. */
  close(): void;
}

/** A connection on its way to a worker, and the number that the answer to it has. */
interface HandedOver {
  readonly handle: Handle;
  readonly seq: unknown;
}

/**
 * A connection that a worker was given, but had not answered for when it ended, is still open in the primary, where nobody would ever
 * close it (Node 20, 22 and 24): its client would wait for good. There is at most one for each worker, because Node hands it the next
 * one when it has answered. One that it refused is another worker's by then, and must not be closed.
 */
function closeUnanswered({ process: child }: Worker): void {
  let last: HandedOver | undefined;
  const send = child.send.bind(child) as (...args: unknown[]) => boolean;
  child.send = (...args: unknown[]): boolean => {
    const [message, handle] = args as [{ readonly seq?: unknown } | undefined, Partial<Handle> | undefined];
    if (typeof handle?.close === "function") last = { handle: handle as Handle, seq: message?.seq };
    return send(...args);
  };
  child.on("internalMessage", (message: { readonly ack?: unknown }) => {
    if (message.ack !== undefined && message.ack === last?.seq) last = undefined;
  });
  // It has ended and all that it said was read. `disconnect` would be too early, and does not come while a connection is on its way.
  child.once("close", () => last?.handle.close());
}
