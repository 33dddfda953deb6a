import { affectsSubscribers, removed, type ReloadTarget } from "../../gateway/reload.ts";
import {
  announceUpstream,
  placeStream,
  removeStream,
  serveStream,
  type StreamDependencies,
} from "../../gateway/stream.ts";
import type { GatewayOptions } from "../../gateway/options.ts";
import type { ServedStream } from "../../http/gateway-context.ts";
import type { SubscriberStats } from "../../http/gateway-status.ts";
import type { Log, LogReader } from "../../log/log.ts";
import { isSameStats, noSubscribers } from "../../http/subscriber-stats.ts";
import { createFollower, type Follower } from "./follower.ts";
import type { StatsByStream } from "../ipc/messages.ts";
import type { PrimaryLink } from "./primary-link.ts";

/** The streams that a worker serves. */
export interface WorkerStreams extends Pick<ReloadTarget, "prepare" | "remove"> {
  /** The follower of a stream, or of another log that was opened. */
  followerOf(name: string): Follower | undefined;
  /** Opens a log that is not a stream's. */
  openLog(name: string): Log;
  /** The streams with the statistics over all workers, for status and metrics. */
  readonly shown: ReadonlyMap<string, ServedStream>;
  /**
   * This worker's statistics of the streams for which they have changed since the last call.
   * @param onDemand the statistics of the streams that are made on demand, by their patterns and by their names
   */
  changedStats(onDemand: ReadonlyMap<string, SubscriberStats>): StatsByStream;
  /** Resolves once all streams have the events that are in their logs now, or when the signal aborts. */
  catchUp(signal: AbortSignal): Promise<void>;
  /** Starts serving all streams of these options. To be called once. */
  start(options: GatewayOptions): Promise<void>;
}

export interface WorkerStreamsDependencies extends StreamDependencies {
  openReader(stream: string): LogReader;
  readonly primary: PrimaryLink;
}

/** Creates the streams of a worker, none open yet. The primary ingests their events. */
export function createWorkerStreams(dependencies: WorkerStreamsDependencies): WorkerStreams {
  const { primary, openReader, logger } = dependencies;
  const followers = new Map<string, Follower>();
  const others = new Map<string, Follower>();
  const streams = new Map<string, ServedStream>();
  const shown = new Map<string, ServedStream>();
  const reported = new Map<string, SubscriberStats>();

  const prepare: WorkerStreams["prepare"] = async (name, change) => {
    if (!affectsSubscribers(change)) return { commit() {}, undo() {} };
    const known = followers.get(name);
    const follower = known ?? createFollower(openReader(name), () => primary.facts().streams[name], primary, logger);
    const stream = await serveStream(name, change.after, follower.source, dependencies);
    return {
      commit() {
        followers.set(name, follower);
        if (!known) announceUpstream(name, follower.source, streams);
        shown.set(name, {
          ...stream,
          subscriberStats: (): SubscriberStats => primary.facts().streams[name]?.subscriberStats ?? noSubscribers,
        });
        return placeStream(streams, stream);
      },
      undo: () => stream.hub.close(removed),
    };
  };

  function changedStats(onDemand: ReadonlyMap<string, SubscriberStats>): StatsByStream {
    const changed: Record<string, SubscriberStats> = {};
    for (const name of new Set([...reported.keys(), ...streams.keys(), ...onDemand.keys()])) {
      const current = streams.get(name)?.subscriberStats() ?? onDemand.get(name) ?? noSubscribers;
      if (isSameStats(current, reported.get(name) ?? noSubscribers)) continue;
      changed[name] = { ...current, closed: { ...current.closed } };
      // A stream that was closed, and may never be opened again.
      if (current === noSubscribers) reported.delete(name);
      else reported.set(name, changed[name]);
    }
    return changed;
  }

  return {
    followerOf: (name) => followers.get(name) ?? others.get(name),
    openLog(name) {
      const follower = others.get(name) ?? createFollower(openReader(name), () => undefined, primary, logger);
      others.set(name, follower);
      return follower.source.log;
    },
    shown,
    changedStats,
    async catchUp(signal) {
      await Promise.all(Array.from(followers, ([name, follower]) => follower.catchUp(streams.get(name)!.hub, signal)));
    },
    async start(options) {
      for (const [name, after] of Object.entries(options.streams)) {
        await (await prepare(name, { before: undefined, after }, options)).commit();
      }
    },
    prepare,
    async remove(name) {
      shown.delete(name);
      await removeStream(streams, name);
      followers.delete(name);
    },
  };
}
