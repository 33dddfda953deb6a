import { setImmediate as nextTurn } from "node:timers/promises";
import type { GatewayOptions } from "../gateway/options.ts";
import { openSources, stopSources } from "../gateway/start.ts";
import type { OwnSource } from "../gateway/source.ts";
import type { LogStore } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import { createDesk } from "./desk.ts";
import type { Feed } from "./feed.ts";
import { followLog } from "./follow-log.ts";
import { setUpWorkers, type WorkerProcess } from "./fork.ts";
import { encodeFrame } from "./frame.ts";
import { createGathering, type Gathering } from "./gather.ts";
import type { ToWorker } from "./messages.ts";
import { createPool, type Pool } from "./pool.ts";
import { withPort } from "./port.ts";

export interface PrimaryParts {
  /** Belongs to the primary from here on. */
  readonly store: LogStore;
  readonly logger: Logger;
  /** The file that each worker runs. */
  readonly program: string;
  /** Passed on to the workers. */
  readonly logLevel: string;
}

/** The process that has the log, the upstreams and the workers; it serves no client. */
export interface Primary {
  /** Where the workers listen. */
  readonly address: { readonly host: string; readonly port: number };
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
  let pool: Pool | undefined;
  try {
    const sources = await openSources(options, { store, logger });
    const listen = await withPort(options.listen);
    pool = connectWorkers({ ...options, listen }, sources, parts);
    const { host, port } = await pool.start();
    for (const source of sources.values()) source.start();
    return { address: { host, port }, close: () => close(sources, pool!) };
  } catch (error) {
    await pool?.end(0);
    await store.close();
    throw error;
  }

  async function close(sources: ReadonlyMap<string, OwnSource>, running: Pool): Promise<void> {
    await stopSources(sources);
    // What was appended last is on its way to the workers by then.
    await nextTurn();
    const ended = running.end(options.drain + grace);
    for (const { process } of running.members) process?.channel.send({ kind: "close" });
    await ended;
    await store.close();
  }
}

/** Makes the pool, and puts it between the sources and the clients. */
function connectWorkers(
  options: GatewayOptions,
  sources: ReadonlyMap<string, OwnSource>,
  { logger, program, logLevel }: PrimaryParts,
): Pool {
  setUpWorkers(program);
  const desk = createDesk(sources);
  const gathering: Gathering = createGathering(() => pool.members, sources);
  const pool: Pool = createPool(
    options.workers,
    {
      onStarted({ number }, { channel }) {
        const facts = gathering.facts();
        channel.send({ kind: "start", number, options: withoutUpstreams(options), logLevel, facts });
      },
      onMessage(member, message) {
        const process = member.process!;
        if (message.kind === "report") gathering.report(member, message.audiences);
        else if (message.kind === "gather") void answer(process, message.id);
        else desk.take(process, message);
      },
      onEnded(member, process) {
        gathering.ended(member);
        desk.ended(process);
      },
    },
    logger,
  );
  const answer = async ({ channel }: WorkerProcess, id: number): Promise<void> => {
    channel.send({ kind: "facts", id, facts: await gathering.gather() });
  };
  const feeds = (): Feed[] => pool.members.flatMap(({ process }) => process?.feed ?? []);
  for (const [stream, source] of sources) {
    followLog(stream, source.log, feeds);
    source.onUpstream((state) => {
      const frame = encodeFrame({ kind: "upstream", stream, state } satisfies ToWorker);
      const news = (): Buffer => frame;
      for (const feed of feeds()) feed.tell(`upstream ${stream}`, news, news);
    });
  }
  return pool;
}

function withoutUpstreams(options: GatewayOptions): GatewayOptions {
  const streams = Object.entries(options.streams).map(([name, stream]) => [name, { ...stream, upstream: undefined }]);
  return { ...options, streams: Object.fromEntries(streams) as GatewayOptions["streams"] };
}
