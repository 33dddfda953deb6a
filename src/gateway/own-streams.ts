import type { ServedStream } from "../http/gateway-context.ts";
import type { Logger } from "../util/logger.ts";
import { pause } from "../util/pause.ts";
import type { GatewayOptions, StreamOptions } from "./options.ts";
import { mapLimited } from "../util/semaphore.ts";
import { affectsSubscribers, removed, type ReloadTarget, type StreamChange } from "./reload.ts";
import { openConcurrency, openSource, stopSources, type OwnSource, type SourceDependencies } from "./source.ts";
import { announceUpstream, placeStream, removeStream, serveStream, type StreamDependencies } from "./stream.ts";

/** The streams of a process that both ingests and serves them. */
export interface OwnStreams extends Pick<ReloadTarget, "prepare" | "remove"> {
  readonly sources: ReadonlyMap<string, OwnSource>;
  readonly streams: ReadonlyMap<string, ServedStream>;
  /** Starts ingest. */
  start(): void;
  /** Stops the ingest of all streams; resolves once all received events are in the log. */
  stop(): Promise<void>;
  /**
   * Switches to the stream's new log after the store lost the old one. Subscribers are disconnected and get a reset
   * when they resume.
   */
  renew(name: string): Promise<void>;
}

/** The delay between two attempts to open a new log, in ms. */
const renewDelay = 1000;

/** Opens and serves the streams of these options. None ingests before `start`. */
export async function openStreams(
  options: GatewayOptions,
  dependencies: SourceDependencies & StreamDependencies,
): Promise<OwnStreams> {
  const sources = new Map<string, OwnSource>();
  const streams = new Map<string, ServedStream>();
  let started = false;
  const locks = createStreamLocks();
  const renewals = createRenewals((name) => locks.run(name, () => replace(name)), dependencies.logger);
  const configured = new Map(Object.entries(options.streams));

  const open = (name: string, stream: StreamOptions): Promise<OwnSource> => openSource(name, stream, dependencies);
  const serve = (name: string, stream: StreamOptions, source: OwnSource): Promise<ServedStream> =>
    serveStream(name, stream, source, dependencies);

  function add(name: string, source: OwnSource): void {
    sources.set(name, source);
    announceUpstream(name, source, streams);
    if (started) source.start();
  }

  const opened = await mapLimited([...configured], openConcurrency, (entry) => openServed(...entry, dependencies));
  for (const { source, served } of opened) {
    streams.set(served.name, served);
    add(served.name, source);
  }

  /** Reopens a stream with its current configuration. The old one is served until the new one is ready. */
  async function replace(name: string): Promise<void> {
    const stream = configured.get(name);
    if (!stream) return;
    const { source, served } = await openServed(name, stream, dependencies);
    await sources.get(name)!.stop();
    const placed = placeStream(streams, served);
    add(name, source);
    await placed;
  }

  async function prepare(name: string, change: StreamChange) {
    const known = sources.get(name);
    const source = known ?? (await open(name, change.after));
    const fed = await known?.prepare(change.after);
    const stream = affectsSubscribers(change) ? await serve(name, change.after, source) : undefined;
    return {
      async commit() {
        const placed = stream && placeStream(streams, stream);
        configured.set(name, change.after);
        if (!known) add(name, source);
        await Promise.all([placed, fed?.commit()]);
      },
      undo: async () => void (await Promise.all([stream?.hub.close(removed), known ? fed?.undo() : source.stop()])),
    };
  }

  return {
    sources,
    streams,
    start() {
      started = true;
      for (const source of sources.values()) source.start();
    },
    async stop() {
      started = false;
      await renewals.end();
      await stopSources(sources);
    },
    async prepare(name, change) {
      const unlock = await locks.acquire(name);
      try {
        const { commit, undo } = await prepare(name, change);
        return { commit: () => commit().finally(unlock), undo: () => undo().finally(unlock) };
      } catch (error) {
        unlock();
        throw error;
      }
    },
    renew: renewals.run,
    remove: (name) =>
      locks.run(name, async () => {
        configured.delete(name);
        await sources.get(name)!.stop();
        sources.delete(name);
        await removeStream(streams, name);
      }),
  };
}

async function openServed(
  name: string,
  stream: StreamOptions,
  dependencies: SourceDependencies & StreamDependencies,
): Promise<{ readonly source: OwnSource; readonly served: ServedStream }> {
  const source = await openSource(name, stream, dependencies);
  return { source, served: await serveStream(name, stream, source, dependencies) };
}

/** Switches streams to their new logs, with retries. */
interface Renewals {
  run(name: string): Promise<void>;
  /** Stops retrying; resolves once all attempts have ended. */
  end(): Promise<unknown>;
}

function createRenewals(replace: (name: string) => Promise<void>, logger: Logger): Renewals {
  const ending = new AbortController();
  const running = new Set<Promise<void>>();

  async function untilReplaced(name: string): Promise<void> {
    while (!ending.signal.aborted) {
      try {
        return await replace(name);
      } catch (error) {
        logger.error({ stream: name, err: error }, "the new log cannot be opened");
        await pause(renewDelay, ending.signal);
      }
    }
  }

  return {
    async run(name) {
      const renewal = untilReplaced(name);
      running.add(renewal);
      await renewal;
      running.delete(renewal);
    },
    end() {
      ending.abort();
      return Promise.all(running);
    },
  };
}

/**
 * A lock for each stream, so that a reload and the switch to a new log run one after the other, in the order of the
 * calls.
 */
interface StreamLocks {
  /** Resolves to the function that releases the lock. */
  acquire(name: string): Promise<() => void>;
  /** Runs an action under the lock. */
  run(name: string, action: () => Promise<void>): Promise<void>;
}

function createStreamLocks(): StreamLocks {
  const latest = new Map<string, Promise<void>>();

  async function acquire(name: string): Promise<() => void> {
    const before = latest.get(name);
    let unlock: () => void = () => {};
    latest.set(name, new Promise((resolve) => (unlock = resolve)));
    await before;
    return unlock;
  }

  return {
    acquire,
    async run(name, action) {
      const unlock = await acquire(name);
      await action().finally(unlock);
    },
  };
}
