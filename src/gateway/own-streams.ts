import type { ServedStream } from "../http/served.ts";
import { pause } from "../util/pause.ts";
import type { GatewayOptions, StreamOptions } from "./options.ts";
import { isServedAnew, removed, type ReloadTarget } from "./reload.ts";
import { openSource, stopSources, type OwnSource, type SourceDependencies } from "./source.ts";
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
  const ending = new AbortController();
  const renewals = createTurns(untilReplaced);

  const configured = new Map(Object.entries(options.streams));

  const open = (name: string, stream: StreamOptions): Promise<OwnSource> => openSource(name, stream, dependencies);
  const serve = (name: string, stream: StreamOptions, source: OwnSource): Promise<ServedStream> =>
    serveStream(name, stream, source, dependencies);

  function add(name: string, source: OwnSource): void {
    sources.set(name, source);
    announceUpstream(name, source, streams);
    if (started) source.start();
  }

  for (const [name, stream] of Object.entries(options.streams)) {
    const source = await open(name, stream);
    streams.set(name, await serve(name, stream, source));
    add(name, source);
  }

  async function replace(name: string, stream: StreamOptions): Promise<void> {
    await sources.get(name)!.stop();
    const source = await open(name, stream);
    const placed = placeStream(streams, await serve(name, stream, source));
    add(name, source);
    await placed;
  }

  async function untilReplaced(name: string): Promise<void> {
    while (!ending.signal.aborted) {
      const stream = configured.get(name);
      if (!stream) return;
      try {
        return await replace(name, stream);
      } catch (error) {
        dependencies.logger.error({ stream: name, err: error }, "the new log cannot be opened");
        await pause(renewPause, ending.signal);
      }
    }
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
      ending.abort();
      await renewals.idle();
      await stopSources(sources);
    },
    async prepare(name, change) {
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
    },
    renew: renewals.run,
    async remove(name) {
      configured.delete(name);
      await sources.get(name)!.stop();
      sources.delete(name);
      await removeStream(streams, name);
    },
  };
}

/** Runs something for one name after another call for the same name: what has taken the place of a log may be lost as well. */
function createTurns(action: (name: string) => Promise<void>): {
  run(name: string): Promise<void>;
  idle(): Promise<unknown>;
} {
  const latest = new Map<string, Promise<void>>();
  return {
    run(name) {
      const turn = (latest.get(name) ?? Promise.resolve()).then(() => action(name));
      latest.set(name, turn);
      return turn;
    },
    idle: () => Promise.all(latest.values()),
  };
}
