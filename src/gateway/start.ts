import type { ServedStream } from "../http/served.ts";
import type { LogStore } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import { assembleGateway, type Gateway } from "./gateway.ts";
import type { GatewayOptions } from "./options.ts";
import { openSource, type OwnSource } from "./source.ts";
import { serveStream } from "./stream.ts";

export interface GatewayDependencies {
  /** Belongs to the gateway from here on. */
  readonly store: LogStore;
  readonly logger: Logger;
}

/** Starts a gateway that does everything in this process: ingests, keeps the log, and serves. */
export async function startGateway(options: GatewayOptions, { store, logger }: GatewayDependencies): Promise<Gateway> {
  const sources = await openSources(options, { store, logger });
  const streams = new Map<string, ServedStream>();
  for (const [name, source] of sources) {
    const stream = await serveStream(name, options.streams[name]!, source, { limits: options.limits, logger });
    streams.set(name, stream);
  }
  const gateway = assembleGateway(options, {
    streams,
    logger,
    startedAt: Date.now(),
    endIngest: () => stopSources(sources),
    end: () => store.close(),
  });
  for (const source of sources.values()) source.start();
  return gateway;
}

/** The sources of all streams, none started. */
export async function openSources(
  options: GatewayOptions,
  dependencies: GatewayDependencies,
): Promise<ReadonlyMap<string, OwnSource>> {
  const sources = new Map<string, OwnSource>();
  for (const [name, stream] of Object.entries(options.streams)) {
    sources.set(name, await openSource(name, stream, dependencies));
  }
  return sources;
}

/** Ends ingest everywhere; what was received is in the log. */
export async function stopSources(sources: ReadonlyMap<string, OwnSource>): Promise<void> {
  await Promise.all([...sources.values()].map((source) => source.stop()));
}
