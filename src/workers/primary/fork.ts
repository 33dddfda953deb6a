import cluster from "node:cluster";
import type { Duplex } from "node:stream";
import { SpillwayError } from "../../errors.ts";
import { channelDescriptor, openChannel, type Channel } from "../ipc/channel.ts";
import { createNotifier, type Notifier } from "./notifier.ts";
import { balanceConnections } from "./connection-balancer.ts";
import type { ToPrimary, ToWorker } from "../ipc/messages.ts";

/** A worker's process, as seen by the primary. */
export interface WorkerProcess {
  readonly pid: number;
  readonly channel: Channel<ToWorker>;
  readonly notifier: Notifier;
  kill(): void;
}

/** What the starter of a worker process provides. */
export interface WorkerProcessHost {
  /** The number of clients that the worker serves, as far as the primary knows. */
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

/** Configures how workers are started. `program` is the file that they run. */
export function setUpWorkers(program: string): void {
  // If the kernel chooses, a few workers get most of the connections.
  cluster.schedulingPolicy = cluster.SCHED_RR;
  // `args` is empty because this process's command line may contain a secret.
  const stdio = ["inherit", "inherit", "inherit", "ipc", "pipe"];
  cluster.setupPrimary({ exec: program, args: [], stdio });
}

/** Starts a worker. */
export function forkWorker({ clients, onMessage, onEnd }: WorkerProcessHost): WorkerProcess {
  const worker = cluster.fork();
  // A failed fork is detected below by its missing pid.
  worker.on("error", () => {});
  const stream = worker.process.stdio?.[channelDescriptor] as Duplex | undefined;
  const { pid } = worker.process;
  if (!stream || pid === undefined) throw new SpillwayError("worker-failed", "cannot start a worker process");
  const channel = openChannel<ToWorker, ToPrimary>(stream, {
    onMessage,
    onDrain: () => notifier.onDrain(),
    // The worker has exited, or exits now.
    onClose() {},
  });
  const notifier = createNotifier(channel);
  balanceConnections(worker, clients);
  worker.process.once("exit", (code, signal) => {
    // `exit` may come before the IPC channel closes. Until then Node would pass more connections to the worker.
    if (worker.isConnected()) worker.disconnect();
    // Unread messages are dropped, because the worker is no longer there to get an answer.
    stream.destroy();
    onEnd({ code, signal });
  });
  return { pid, channel, notifier, kill: () => void worker.process.kill("SIGKILL") };
}
