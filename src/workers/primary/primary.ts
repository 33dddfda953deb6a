import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { createTickets, type LocalTickets } from "../../access/tickets.ts";
import { SpillwayError } from "../../errors.ts";
import { createPolicy } from "../../gateway/policy.ts";
import type { GatewayOptions } from "../../gateway/options.ts";
import { countingParts, createReconfigurable, type Reconfigure } from "../../gateway/reconfigurable.ts";
import { createReload, type Reload } from "../../gateway/reload.ts";
import { openSource, openSources, stopSources, type OwnSource } from "../../gateway/source.ts";
import type { Policy } from "../../http/gateway-context.ts";
import { createAdmission } from "../../limits/admission.ts";
import type { LogStore } from "../../log/log.ts";
import { createProcessMonitor } from "../../metrics/process-stats.ts";
import type { Logger } from "../../util/logger.ts";
import { createWorkerRequests } from "./worker-requests.ts";
import { createForwarding, type Notifier } from "./notifier.ts";
import { setUpWorkers, type WorkerProcess } from "./fork.ts";
import { createWorkerStats, type WorkerStats } from "./worker-stats.ts";
import { createWorkerCommands } from "./worker-commands.ts";
import { createPool, type Pool } from "./pool.ts";

export interface PrimaryParts {
  /** Belongs to the primary from here on. */
  readonly store: LogStore;
  readonly logger: Logger;
  /** The file that each worker runs. */
  readonly program: string;
  /** Passed on to the workers. */
  readonly logLevel: string;
  /** Reads the configuration anew. */
  readonly readOptions: () => Promise<GatewayOptions>;
}

/** The process that has the log, the upstreams and the workers; it serves no client. */
export interface Primary {
  /** Where the workers listen. */
  readonly address: { readonly host: string; readonly port: number };
  /**
   * Applies the configuration as it is now.
   * @throws {SpillwayError} `config-invalid`, `restart-required`, or what opening a new stream throws, and nothing has changed;
   * `shutting-down`.
   */
  reload(): Promise<void>;
  /** Ends everything in order: ingest, then the workers with their goodbyes, then the log. */
  close(): Promise<void>;
}

/** What a worker may take beyond `drain`, in ms. */
const grace = 3000;

/**
 * Opens the log, starts the workers, and connects to the upstreams once all workers serve.
 * @throws {SpillwayError} as opening a gateway does; `listen-failed`, `worker-failed`. The store is then closed.
 */
export async function startPrimary(options: GatewayOptions, parts: PrimaryParts): Promise<Primary> {
  const { store, logger } = parts;
  let fleet: Fleet | undefined;
  try {
    const sources = await openSources(options, { store, logger, lease: options.cluster.lease });
    const listen = await withPort(options.listen);
    // The port that was found for 0 stays.
    const readOptions = async (): Promise<GatewayOptions> => {
      const next = await parts.readOptions();
      return isDeepStrictEqual(next.listen, options.listen) ? { ...next, listen } : next;
    };
    fleet = connectWorkers({ ...options, listen }, sources, { ...parts, readOptions });
    const { host, port } = await fleet.pool.start();
    for (const source of sources.values()) source.start();
    return { address: { host, port }, reload: fleet.reload.run, close: () => close(sources, fleet!) };
  } catch (error) {
    await fleet?.pool.end(0);
    await store.close();
    throw error;
  }

  async function close(sources: ReadonlyMap<string, OwnSource>, { pool, drain, reload }: Fleet): Promise<void> {
    await reload.end();
    await stopSources(sources);
    // What was appended last is on its way to the workers by then.
    await nextTurn();
    const ended = pool.end(drain() + grace);
    for (const { process } of pool.members) process?.channel.send({ kind: "close" });
    await ended;
    await store.close();
  }
}

/**
 * The address with a free port in the place of 0. Workers that each ask for port 0 share one, but when all of them die at once the
 * next would get another.
 * @throws {SpillwayError} `listen-failed`
 */
async function withPort(address: GatewayOptions["listen"]): Promise<GatewayOptions["listen"]> {
  if (address.port !== 0) return address;
  const server = createServer().listen(address);
  try {
    await once(server, "listening");
  } catch (cause) {
    const reason = `cannot listen on ${address.host}:0: ${(cause as NodeJS.ErrnoException).code}`;
    throw new SpillwayError("listen-failed", reason, { field: "listen", cause });
  }
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return { ...address, port };
}

/** The workers, and what they are told. */
interface Fleet {
  readonly pool: Pool;
  readonly reload: Reload;
  /** Over how long clients are let go, as it is configured at the moment, in ms. */
  drain(): number;
}

/** Makes the pool, and puts it between the sources and the clients. */
function connectWorkers(first: GatewayOptions, sources: Map<string, OwnSource>, parts: PrimaryParts): Fleet {
  const { logger, program, logLevel, store, readOptions } = parts;
  setUpWorkers(program);
  let options = first;
  const admission = createAdmission(options.limits);
  const tickets = createTickets(options.access.tickets);
  const commands = createWorkerCommands(() => pool.members);
  const notifiers = (): Notifier[] => pool.members.flatMap(({ process }) => process?.notifier ?? []);
  const workerStats: WorkerStats = createWorkerStats(() => pool.members, sources, createProcessMonitor());

  const follow = createForwarding(notifiers);

  const access = createAccessParts(tickets, logger);
  const reconfigurable = createReconfigurable();
  reconfigurable.add(
    access.check,
    (next) => void (options = next),
    ...countingParts(admission, tickets),
    access.reviewTickets,
    (next) => commands.apply(withoutUpstreams(next)),
  );

  const reload = createReload(
    first,
    readOptions,
    {
      async prepare(name, { before, after }) {
        if (before) return sources.get(name)!.prepare(after);
        const source = await openSource(name, after, { store, logger, lease: options.cluster.lease });
        return {
          commit() {
            sources.set(name, source);
            follow(name, source);
            source.start();
          },
          undo: () => source.stop(),
        };
      },
      async remove(name) {
        await sources.get(name)!.stop();
        sources.delete(name);
      },
      apply: reconfigurable.apply,
    },
    logger,
  );
  const requests = createWorkerRequests({ sources, admission, tickets, endSessions: commands.end, reload: reload.run });

  const pool: Pool = createPool(
    options.workers,
    {
      clients: (process) => requests.clients(process),
      onStarted({ number }, { channel }) {
        const facts = workerStats.facts();
        channel.send({ kind: "start", number, options: withoutUpstreams(options), logLevel, facts });
      },
      onMessage(member, message) {
        const process = member.process!;
        if (message.kind === "report") workerStats.report(member, message);
        else if (message.kind === "facts-request") void answer(process, message.id);
        else if (message.kind === "done") commands.take(process, message);
        else requests.handle(process, message);
      },
      onEnded(member, process) {
        workerStats.ended(member);
        commands.ended(process);
        requests.ended(process);
      },
    },
    logger,
  );
  const answer = async ({ channel }: WorkerProcess, id: number): Promise<void> => {
    channel.send({ kind: "facts", id, facts: await workerStats.refresh() });
  };
  for (const [stream, source] of sources) follow(stream, source);
  return { pool, reload, drain: () => options.drain };
}

/** What the primary does about changed access: it checks the options, and keeps only the tickets that they still grant. */
function createAccessParts(tickets: LocalTickets, logger: Logger): Record<"check" | "reviewTickets", Reconfigure> {
  let policy: Policy;
  return {
    // Throws `config-invalid` for options that cannot be applied.
    check: (next) => void (policy = createPolicy(next, tickets, logger)),
    reviewTickets: () => tickets.review((holder) => policy.access.review(holder)),
  };
}

function withoutUpstreams(options: GatewayOptions): GatewayOptions {
  const streams = Object.entries(options.streams).map(([name, stream]) => [name, { ...stream, upstream: undefined }]);
  return { ...options, streams: Object.fromEntries(streams) as GatewayOptions["streams"] };
}
