import type { GatewayOptions } from "../../gateway/options.ts";
import type { WorkerProcess } from "./fork.ts";
import { isFinal, type PeerAnswers, type PeerCall } from "../../http/clients.ts";
import { Rounds } from "../../util/rounds.ts";
import type { ToPrimary, ToWorker } from "../ipc/messages.ts";
import type { Member } from "./pool.ts";

/** Sends commands to several workers and waits for their completion. */
export interface WorkerCommands {
  /** Asks all workers but one. Resolves when all have answered, or after a timeout. */
  ask(call: PeerCall, but: WorkerProcess): Promise<PeerAnswers>;
  /**
   * Applies new options in all workers. Resolves when all have applied them, or after a timeout; a late worker applies
   * them later.
   */
  apply(options: GatewayOptions): Promise<void>;
  /** Takes a worker's answer to a command. */
  take(worker: WorkerProcess, done: Extract<ToPrimary, { kind: "done" }>): void;
  /** Stops waiting for a worker that has exited. */
  ended(worker: WorkerProcess): void;
}

/** How long the workers have to answer, in ms. */
const commandTimeout = 1000;

/** Creates the commands to a pool's members. */
export function createWorkerCommands(members: () => readonly Member[]): WorkerCommands {
  const rounds = new Rounds<WorkerProcess>(commandTimeout);
  const running = (): WorkerProcess[] => members().flatMap(({ process }) => process ?? []);

  return {
    async ask(call, but) {
      const others = running().filter((worker) => worker !== but);
      const command = (id: string): void => send(others, { kind: "ask", id, call });
      const { answers, late } = await rounds.ask(others, command, (answer) => isFinal(call, answer));
      return { answers, complete: late.length === 0 };
    },
    async apply(options) {
      const workers = running();
      await rounds.ask(workers, (id) => send(workers, { kind: "apply", id, options }));
    },
    take(worker, { id, answer }) {
      rounds.answered(id, worker, answer);
    },
    ended(worker) {
      rounds.left(worker);
    },
  };
}

function send(workers: readonly WorkerProcess[], command: ToWorker): void {
  for (const { channel } of workers) channel.send(command);
}
