import cluster from "node:cluster";
import type { Duplex } from "node:stream";
import { SpillwayError } from "../../errors.ts";
import { channelDescriptor, openChannel, type Channel } from "../ipc/channel.ts";
import { createNotifier, type Notifier } from "./notifier.ts";
import { balanceConnections } from "./connection-balancer.ts";
import type { ToPrimary, ToWorker } from "../ipc/messages.ts";

/** A worker's process as the primary sees it. */
export interface WorkerProcess {
  readonly pid: number;
  readonly channel: Channel<ToWorker>;
  readonly notifier: Notifier;
  kill(): void;
}

/** The one who starts it. */
export interface WorkerProcessHost {
  /** How many clients it serves, as far as the primary knows. */
  clients(): number;
  onMessage(message: ToPrimary): void;
  /** Called once, when the process has ended or could not be started. */
  onEnd(ending: Ending): void;
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Says how workers are started from here on. `program` is the file that they run. */
export function setUpWorkers(program: string): void {
  // With the kernel's own choice few workers get most connections.
  cluster.schedulingPolicy = cluster.SCHED_RR;
  // Nothing of this command line, which may hold a secret.
  const stdio = ["inherit", "inherit", "inherit", "ipc", "pipe"];
  cluster.setupPrimary({ exec: program, args: [], stdio });
}

/** Starts a worker. */
export function forkWorker({ clients, onMessage, onEnd }: WorkerProcessHost): WorkerProcess {
  const worker = cluster.fork();
  // A process that cannot be made says so twice; without a pid it is found out below.
  worker.on("error", () => {});
  const stream = worker.process.stdio?.[channelDescriptor] as Duplex | undefined;
  const { pid } = worker.process;
  if (!stream || pid === undefined) throw new SpillwayError("worker-failed", "a worker process cannot be started");
  const channel = openChannel<ToWorker, ToPrimary>(stream, {
    onMessage,
    onDrain: () => notifier.onDrain(),
    // The worker has ended, or ends itself now.
    onClose() {},
  });
  const notifier = createNotifier(channel);
  balanceConnections(worker, clients);
  worker.process.once("exit", (code, signal) => {
    // Where several end at once, one's end is known before the end of its channel: until then Node would hand it more connections.
    if (worker.isConnected()) worker.disconnect();
    // What it still had to say comes too late: nobody is there to answer.
    stream.destroy();
    onEnd({ code, signal });
  });
  return { pid, channel, notifier, kill: () => void worker.process.kill("SIGKILL") };
}
