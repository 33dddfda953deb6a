import type { ServedStream } from "../http/gateway-context.ts";
import type { Logger } from "../util/logger.ts";
import { pause } from "../util/pause.ts";
import type { GatewayOptions, StreamOptions } from "./options.ts";
import { mapLimited } from "../util/semaphore.ts";
import { isServedAnew, removed, type ReloadTarget, type StreamChange } from "./reload.ts";
import { openedAtOnce, openSource, stopSources, type OwnSource, type SourceDependencies } from "./source.ts";
import { announceUpstream, placeStream, removeStream, serveStream, type StreamDependencies } from "./stream.ts";

/** The streams of a gateway that both fills and serves them. */
export interface OwnStreams extends Pick<ReloadTarget, "prepare" | "remove"> {
  readonly sources: ReadonlyMap<string, OwnSource>;
  readonly streams: ReadonlyMap<string, ServedStream>;
  /** Begins to ingest. */
  start(): void;
  /** Ends ingest everywhere; what was received is in the log. */
  stop(): Promise<void>;
  /** The store has another log for the stream: whoever follows it is let go, and is told of that when it comes back. */
  renew(name: string): Promise<void>;
}

/** Between two tries to open a log that has taken the place of another, in ms. */
const renewPause = 1000;

/** Opens and serves the streams of these options; none is fed before `start`. */
export async function openStreams(
  options: GatewayOptions,
  dependencies: SourceDependencies & StreamDependencies,
): Promise<OwnStreams> {
  const sources = new Map<string, OwnSource>();
  const streams = new Map<string, ServedStream>();
  let started = false;
  const turns = createTurns();
  const renewals = createRenewals((name) => turns.run(name, () => replace(name)), dependencies.logger);
  const configured = new Map(Object.entries(options.streams));

  const open = (name: string, stream: StreamOptions): Promise<OwnSource> => openSource(name, stream, dependencies);
  const serve = (name: string, stream: StreamOptions, source: OwnSource): Promise<ServedStream> =>
    serveStream(name, stream, source, dependencies);

  function add(name: string, source: OwnSource): void {
    sources.set(name, source);
    announceUpstream(name, source, streams);
    if (started) source.start();
  }

  const opened = await mapLimited([...configured], openedAtOnce, (entry) => openServed(...entry, dependencies));
  for (const { source, served } of opened) {
    streams.set(served.name, served);
    add(served.name, source);
  }

  /** As it is configured when its turn comes. What is there stays until all is ready that takes its place. */
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
    const stream = isServedAnew(change) ? await serve(name, change.after, source) : undefined;
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
      const end = await turns.take(name);
      try {
        const { commit, undo } = await prepare(name, change);
        return { commit: () => commit().finally(end), undo: () => undo().finally(end) };
      } catch (error) {
        end();
        throw error;
      }
    },
    renew: renewals.run,
    remove: (name) =>
      turns.run(name, async () => {
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

/** What takes the place of logs that are lost, tried until it is there. */
interface Renewals {
  run(name: string): Promise<void>;
  /** Tries no more; resolves once nothing of it goes on. */
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
        await pause(renewPause, ending.signal);
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

/** Lets one at a time change a stream, in the order in which they come: a reload, and what takes the place of a log that is lost. */
interface Turns {
  /** Resolves to the end of the turn when it is there. */
  take(name: string): Promise<() => void>;
  /** Does something in a turn. */
  run(name: string, action: () => Promise<void>): Promise<void>;
}

function createTurns(): Turns {
  const latest = new Map<string, Promise<void>>();

  async function take(name: string): Promise<() => void> {
    const before = latest.get(name);
    let end: () => void = () => {};
    latest.set(name, new Promise((resolve) => (end = resolve)));
    await before;
    return end;
  }

  return {
    take,
    async run(name, action) {
      const end = await take(name);
      await action().finally(end);
    },
  };
}
