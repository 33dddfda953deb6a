import { SpillwayError } from "../errors.ts";
import type { Caller, ServedStream } from "../http/gateway-context.ts";
import type { SharedStatus } from "../http/gateway-status.ts";
import { ownerOf } from "../http/owner.ts";
import type { LogStore } from "../log/log.ts";
import type { ShareOptions } from "../proxy/options.ts";
import type { ProxyRoute } from "../proxy/proxy.ts";
import type { SharedRequest } from "../proxy/shared-request.ts";
import { removed } from "./reload.ts";
import { openSharedStream, type SharedStream, type SharedStreamDependencies } from "./shared-stream.ts";
import { createUnusedLogs } from "./unused-logs.ts";

/** A stream for a client. */
export interface ObtainedStream {
  readonly stream: ServedStream;
  /** The cursor where a client starts that has waited for the target's response; `undefined` if it came later. */
  readonly from: string | undefined;
}

/** The responses of routes that clients share. Each is a stream, for as long as it has clients, and for `linger` after that. */
export interface SharedStreams {
  /**
   * The stream of a request, which its first client opens. `undefined` if the target does not answer with an event
   * stream: then the request must be forwarded for its client alone.
   * @throws {SpillwayError} `too-many-streams`, `target-timeout`, `shutting-down`, a `store-…` code.
   */
  obtain(
    route: ProxyRoute,
    share: ShareOptions,
    request: SharedRequest,
    caller: Caller,
  ): Promise<ObtainedStream | undefined>;
  /** The number of a route's streams, and of their clients. */
  status(route: string): SharedStatus;
  /** The streams that clients may have. */
  all(): ServedStream[];
  /** Ends the streams of all other routes. Their clients are disconnected, and may resume. */
  apply(routes: ReadonlyMap<string, ProxyRoute>): void;
  /** Ends a stream whose log the store has lost. Does nothing for other logs. */
  lose(log: string): void;
  /** Stops ingest; resolves once all received events are in the logs. */
  stop(): Promise<void>;
  /** Closes the store that was opened for them. */
  close(): Promise<void>;
}

export interface SharedStreamsDependencies extends Pick<SharedStreamDependencies, "logger" | "limits"> {
  /**
   * The gateway's store. It holds the logs if it can remove them and only this process has it open. Then the next
   * process continues with them.
   */
  readonly store?: LogStore;
  /** Opens a store for all other cases. */
  openStore(): Promise<LogStore>;
}

/** Begins the names of the logs. No configured stream has such a name. */
const prefix = "_shared.";

/** How long after the first request the logs of an earlier process are kept for clients that come back, in ms. */
const keptAfterStart = 60_000;

/** Creates the shared streams of a process, none open yet. */
export function createSharedStreams(dependencies: SharedStreamsDependencies): SharedStreams {
  const { store: durable, logger, limits } = dependencies;
  /** By their logs, in the order of their last use. */
  const streams = new Map<string, SharedStream>();
  let own: Promise<LogStore> | undefined;
  const store = durable?.removal && !durable.coordination ? durable : undefined;
  const openStore = async (): Promise<LogStore> => store ?? (own ??= dependencies.openStore());
  const logs = createUnusedLogs(async () => (await openStore()).removal!, logger);
  let stopped = false;
  let swept: Promise<void> | undefined;

  /** @param keep how long the log is kept for clients that come back, in ms. Default: it is removed. */
  function end(log: string, shared: SharedStream, keep?: number): void {
    if (streams.get(log) !== shared) return;
    streams.delete(log);
    const close = async (): Promise<void> => {
      await shared.stop();
      await shared.opened.catch(() => {});
      await shared.stream()?.hub.close(removed);
    };
    logs.release(log, close, keep);
  }

  function start(log: string, route: ProxyRoute, share: ShareOptions, request: SharedRequest, owner: string): void {
    makeRoom(streams, route, share, owner, end);
    const onUnused = (): void => end(log, shared);
    const count = (): number => streams.size;
    const shared = openSharedStream(log, route, share, request, owner, { logger, limits, count, openStore, onUnused });
    streams.set(log, shared);
    shared.opened.then(
      (stream) => stream ?? end(log, shared),
      () => end(log, shared),
    );
  }

  return {
    async obtain(route, share, request, caller) {
      const log = prefix + request.key;
      // Before the log is claimed: it may be one of those that are removed later.
      if (store) await (swept ??= logs.sweep(prefix, keptAfterStart));
      if (!streams.has(log)) await logs.claim(log);
      if (stopped) throw new SpillwayError("shutting-down");
      if (!streams.has(log)) start(log, route, share, request, ownerOf(caller));
      const shared = streams.get(log)!;
      streams.delete(log);
      streams.set(log, shared);
      const hasWaited = shared.stream() === undefined;
      const stream = await shared.opened;
      if (!stream) return undefined;
      shared.touch();
      return { stream, from: hasWaited ? shared.beginning() : undefined };
    },
    status(name) {
      const opened = [...streams.values()].filter(({ route }) => route.name === name).map(({ stream }) => stream());
      return {
        streams: opened.length,
        connected: opened.filter((stream) => stream?.upstream()?.state === "open").length,
        subscribers: opened.reduce((sum, stream) => sum + (stream?.hub.subscribers ?? 0), 0),
      };
    },
    all: () => Array.from(streams.values(), ({ stream }) => stream() ?? []).flat(),
    apply(routes) {
      for (const [log, shared] of streams) {
        const { route } = shared;
        if (routes.get(route.name) !== route) end(log, shared, route.options.share?.linger);
      }
    },
    lose(log) {
      const shared = streams.get(log);
      if (shared) end(log, shared);
    },
    async stop() {
      stopped = true;
      await Promise.all([logs.stop(), ...Array.from(streams.values(), (shared) => shared.stop())]);
    },
    close: async () => (await own)?.close(),
  };
}

/**
 * Makes room for one more stream of a route by ending the one without clients that was not used for the longest time.
 * Nobody has more than half of the streams, or displaces those of somebody who has fewer.
 * @throws {SpillwayError} `too-many-streams`
 */
function makeRoom(
  streams: ReadonlyMap<string, SharedStream>,
  { name }: ProxyRoute,
  share: ShareOptions,
  owner: string,
  end: (log: string, shared: SharedStream) => void,
): void {
  const ofRoute = [...streams].filter(([, { route }]) => route.name === name);
  const countOf = (one: string): number => ofRoute.filter(([, shared]) => shared.owner === one).length;
  const own = countOf(owner);
  const isOwnFull = own >= Math.max(1, Math.floor(share.streams / 2));
  if (!isOwnFull && ofRoute.length < share.streams) return;
  const mayEnd = (shared: SharedStream): boolean =>
    shared.isIdle() && (shared.owner === owner || (!isOwnFull && countOf(shared.owner) > own));
  const found = ofRoute.find(([, shared]) => mayEnd(shared));
  if (found) return end(...found);
  const whose = isOwnFull ? "half of the shared streams of this route are yours" : "all shared streams are in use";
  throw new SpillwayError("too-many-streams", `${whose} (share.streams)`, {
    expected: `at most ${share.streams}`,
    retryAfter: Math.ceil(share.linger / 1000),
  });
}
