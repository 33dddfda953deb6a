import type { LocalTickets } from "../../access/tickets.ts";
import type { OwnDeliveries } from "../../gateway/own-deliveries.ts";
import type { OwnOnDemandStreams } from "../../gateway/on-demand-streams.ts";
import type { OwnSource } from "../../gateway/source.ts";
import type { PeerAnswers, PeerCall } from "../../http/clients.ts";
import type { Log } from "../../log/log.ts";
import { runLog } from "../../runs/record.ts";
import type { Diagnostics } from "../../http/diagnostics.ts";
import type { CountingAdmission } from "../../limits/admission.ts";
import type { WorkerProcess } from "./fork.ts";
import { createTicketUses } from "./ticket-uses.ts";
import { toErrorText, type Call, type CallName, type Calls, type ToPrimary } from "../ipc/messages.ts";

type Request = Call | Extract<ToPrimary, { kind: "demand" | "release" | "use" | "closed" }>;

/** Answers the workers' requests for what only the primary can do. */
export interface WorkerRequests {
  /** The number of admitted connections of a worker that are still open. */
  clients(worker: WorkerProcess): number;
  handle(worker: WorkerProcess, request: Request): void;
  /** Releases everything that an exited worker held. */
  ended(worker: WorkerProcess): void;
}

export interface WorkerRequestsDependencies {
  readonly sources: ReadonlyMap<string, OwnSource>;
  readonly onDemand: Pick<OwnOnDemandStreams, "source" | "hold" | "list">;
  readonly deliveries: Pick<OwnDeliveries, "command">;
  /** The log of the runs, which the workers write. */
  readonly runs: Pick<Log, "append">;
  readonly diagnostics: Diagnostics;
  readonly admission: CountingAdmission;
  readonly tickets: LocalTickets;
  /** Asks all workers but one. */
  ask(call: PeerCall, but: WorkerProcess): Promise<PeerAnswers>;
  reload(): Promise<void>;
}

type Handlers = {
  readonly [Name in CallName]: (
    worker: WorkerProcess,
    request: Calls[Name]["request"],
  ) => Calls[Name]["answer"] | Promise<Calls[Name]["answer"]>;
};

/** Creates the handler of requests. */
export function createWorkerRequests(dependencies: WorkerRequestsDependencies): WorkerRequests {
  const { sources, onDemand, deliveries, diagnostics, runs, admission, tickets, ask, reload } = dependencies;
  const demands = new Holds<string>();
  const opened = new Holds<string>();
  const places = new Holds<number>();
  const uses = createTicketUses();
  const gone = new WeakSet<WorkerProcess>();
  let nextPlace = 0;

  const handlers: Handlers = {
    async append(_, { stream, events, options }) {
      if (stream === runLog) return runs.append(events, options);
      const source = sources.get(stream) ?? (await onDemand.source(stream));
      return source.append(events, options);
    },
    check: async (_, { stream, event }) => (await sources.get(stream)?.assertValid(event)) ?? null,
    async open(worker, { stream, client }) {
      const release = await holdOpen(onDemand, stream, client);
      // The worker may have exited meanwhile.
      if (gone.has(worker)) release();
      else opened.add(worker, stream, release);
      return null;
    },
    streams: async () => onDemand.list(),
    async connect(worker, caller) {
      const release = admission.connect(caller);
      const place = nextPlace++;
      // The worker may have exited meanwhile.
      if (gone.has(worker)) release();
      else places.add(worker, place, release);
      return place;
    },
    async arrive(_, arrival) {
      admission.arrive(arrival);
      return null;
    },
    async publish(_, caller) {
      admission.publish(caller);
      return null;
    },
    issue: (_, request) => tickets.issue(request),
    redeem: (_, ticket) => tickets.redeem(ticket),
    async revoke(_, ticket) {
      tickets.revoke(ticket);
      return null;
    },
    ask: (worker, call) => ask(call, worker),
    diagnose: (_, call) => diagnose(diagnostics, call),
    async reload() {
      await reload();
      return null;
    },
    async command(_, { name, command }) {
      await deliveries.command(name, command);
      return null;
    },
  };

  function use(worker: WorkerProcess, ticket: string, number: number): void {
    tickets.use(ticket);
    const entry = tickets.entryOf(ticket);
    if (entry) uses.take(worker, entry, number);
  }

  return {
    clients: (worker) => places.count(worker),
    handle(worker, request) {
      if (request.kind === "call") return void answer(handlers, worker, request);
      if (request.kind === "release") return places.release(worker, request.place);
      if (request.kind === "closed") return opened.release(worker, request.stream);
      if (request.kind === "use") return use(worker, request.ticket, request.number);
      const { stream, wanted } = request;
      if (!wanted) demands.release(worker, stream);
      else if (sources.has(stream)) demands.add(worker, stream, sources.get(stream)!.hold());
    },
    ended(worker) {
      gone.add(worker);
      uses.ended(worker);
      demands.releaseAll(worker);
      opened.releaseAll(worker);
      places.releaseAll(worker);
    },
  };
}

function diagnose(diagnostics: Diagnostics, { name, argument = 0 }: Calls["diagnose"]["request"]): Promise<unknown> {
  const method: (argument: number) => Promise<unknown> = diagnostics[name];
  return method(argument);
}

async function answer(handlers: Handlers, worker: WorkerProcess, { id, name, request }: Call): Promise<void> {
  try {
    const handle = handlers[name] as (worker: WorkerProcess, request: unknown) => unknown;
    const answered = await handle(worker, request);
    worker.channel.send({ kind: "answered", id, answer: answered });
  } catch (error) {
    worker.channel.send({ kind: "refused", id, error: toErrorText(error) });
  }
}

/** Opens a stream that is made on demand; resolves to the function with which it need not stay open any more. */
async function holdOpen(
  onDemand: WorkerRequestsDependencies["onDemand"],
  stream: string,
  client: Calls["open"]["request"]["client"],
): Promise<() => void> {
  const release = onDemand.hold(stream);
  try {
    await onDemand.source(stream, client);
    return release;
  } catch (error) {
    release();
    throw error;
  }
}

/** The resources that each worker holds, with the functions that release them. */
class Holds<Key> {
  readonly #byWorker = new Map<WorkerProcess, Map<Key, () => void>>();

  add(worker: WorkerProcess, key: Key, release: () => void): void {
    const held = this.#byWorker.get(worker) ?? new Map<Key, () => void>();
    this.#byWorker.set(worker, held);
    held.get(key)?.();
    held.set(key, release);
  }

  count(worker: WorkerProcess): number {
    return this.#byWorker.get(worker)?.size ?? 0;
  }

  release(worker: WorkerProcess, key: Key): void {
    const held = this.#byWorker.get(worker);
    held?.get(key)?.();
    held?.delete(key);
  }

  releaseAll(worker: WorkerProcess): void {
    for (const release of this.#byWorker.get(worker)?.values() ?? []) release();
    this.#byWorker.delete(worker);
  }
}
