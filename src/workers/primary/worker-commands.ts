import type { GatewayOptions } from "../../gateway/options.ts";
import type { WorkerProcess } from "./fork.ts";
import type { PeerAnswers, PeerCall } from "../../http/clients.ts";
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

/** A command that some workers have not answered yet. */
interface Round {
  readonly waiting: Set<WorkerProcess>;
  readonly answers: unknown[];
  done(): void;
}

/** Creates the commands to a pool's members. */
export function createWorkerCommands(members: () => readonly Member[]): WorkerCommands {
  const rounds = new Map<number, Round>();
  let nextId = 0;

  function settle(round: Round, worker: WorkerProcess, answer?: unknown): void {
    if (!round.waiting.delete(worker)) return;
    if (answer !== undefined) round.answers.push(answer);
    if (round.waiting.size === 0) round.done();
  }

  /** Sends a command synchronously; resolves to the answers. */
  async function send(workers: readonly WorkerProcess[], command: (id: number) => ToWorker): Promise<PeerAnswers> {
    if (workers.length === 0) return { answers: [], complete: true };
    const id = nextId++;
    const round: Round = { waiting: new Set(workers), answers: [], done: () => {} };
    rounds.set(id, round);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, commandTimeout);
      round.done = () => {
        clearTimeout(timer);
        resolve();
      };
      const message = command(id);
      for (const { channel } of workers) channel.send(message);
    });
    rounds.delete(id);
    return { answers: round.answers, complete: round.waiting.size === 0 };
  }

  const running = (): WorkerProcess[] => members().flatMap(({ process }) => process ?? []);

  return {
    ask(call, but) {
      const others = running().filter((worker) => worker !== but);
      return send(others, (id) => ({ kind: "ask", id, call }));
    },
    async apply(options) {
      await send(running(), (id) => ({ kind: "apply", id, options }));
    },
    take(worker, { id, answer }) {
      const round = rounds.get(id);
      if (round) settle(round, worker, answer);
    },
    ended(worker) {
      for (const round of rounds.values()) settle(round, worker);
    },
  };
}
