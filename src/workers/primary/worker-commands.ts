import type { GatewayOptions } from "../../gateway/options.ts";
import type { WorkerProcess } from "./fork.ts";
import type { EndCall, ToPrimary, ToWorker } from "../ipc/messages.ts";
import type { Member } from "./pool.ts";

/** Sends commands to several workers and waits for their completion. */
export interface WorkerCommands {
  /**
   * Ends sessions in all workers but one. Resolves to the number of ended sessions that the workers have reported in
   * time.
   */
  end(call: EndCall, but: WorkerProcess): Promise<number>;
  /**
   * Applies new options in all workers. Resolves when all have applied them, or after a timeout; a late worker applies
   * them later.
   */
  apply(options: GatewayOptions): Promise<void>;
  /** Takes a worker's confirmation of a command. */
  take(worker: WorkerProcess, done: Extract<ToPrimary, { kind: "done" }>): void;
  /** Stops waiting for a worker that has exited. */
  ended(worker: WorkerProcess): void;
}

/** How long the workers have to answer, in ms. */
const commandTimeout = 1000;

/** A command that some workers have not confirmed yet. */
interface Round {
  readonly waiting: Set<WorkerProcess>;
  count: number;
  done(): void;
}

/** Creates the commands to a pool's members. */
export function createWorkerCommands(members: () => readonly Member[]): WorkerCommands {
  const rounds = new Map<number, Round>();
  let nextId = 0;

  function settle(round: Round, worker: WorkerProcess, count: number): void {
    if (!round.waiting.delete(worker)) return;
    round.count += count;
    if (round.waiting.size === 0) round.done();
  }

  /** Sends a command synchronously; resolves to the sum of the counts that the workers report. */
  async function send(workers: readonly WorkerProcess[], command: (id: number) => ToWorker): Promise<number> {
    if (workers.length === 0) return 0;
    const id = nextId++;
    const round: Round = { waiting: new Set(workers), count: 0, done: () => {} };
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
    return round.count;
  }

  const running = (): WorkerProcess[] => members().flatMap(({ process }) => process ?? []);

  return {
    end(call, but) {
      const others = running().filter((worker) => worker !== but);
      return send(others, (id) => ({ kind: "end", id, ...call }));
    },
    async apply(options) {
      await send(running(), (id) => ({ kind: "apply", id, options }));
    },
    take(worker, { id, count }) {
      const round = rounds.get(id);
      if (round) settle(round, worker, count);
    },
    ended(worker) {
      for (const round of rounds.values()) settle(round, worker, 0);
    },
  };
}
