import type { GatewayOptions } from "../../gateway/options.ts";
import type { WorkerProcess } from "./fork.ts";
import type { EndCall, ToPrimary, ToWorker } from "../ipc/messages.ts";
import type { Member } from "./pool.ts";

/** Commands to several workers, and their completion. */
export interface WorkerCommands {
  /** Ends sessions in all workers but one; resolves to the number that were ended, or that were when the time was up. */
  end(call: EndCall, but: WorkerProcess): Promise<number>;
  /** Gives all workers other options; resolves when they go by them, or the time is up: one that is late goes by them later. */
  apply(options: GatewayOptions): Promise<void>;
  take(worker: WorkerProcess, done: Extract<ToPrimary, { kind: "done" }>): void;
  /** It will not answer any more. */
  ended(worker: WorkerProcess): void;
}

/** How long the workers have to answer, in ms. */
const commandTimeout = 1000;

/** What was asked of the workers, and is not answered yet. */
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

  /** Sends at once; resolves to the sum of what was counted. */
  async function tell(workers: readonly WorkerProcess[], order: (id: number) => ToWorker): Promise<number> {
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
      const message = order(id);
      for (const { channel } of workers) channel.send(message);
    });
    rounds.delete(id);
    return round.count;
  }

  const running = (): WorkerProcess[] => members().flatMap(({ process }) => process ?? []);

  return {
    end(call, but) {
      const others = running().filter((worker) => worker !== but);
      return tell(others, (id) => ({ kind: "end", id, ...call }));
    },
    async apply(options) {
      await tell(running(), (id) => ({ kind: "apply", id, options }));
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
