import type { Announced } from "../../gateway/feed.ts";
import type { StreamSource } from "../../gateway/source.ts";
import type { Hub } from "../../hub/hub.ts";
import type { Log, LogHint, LogReader } from "../../log/log.ts";
import { createWatchers } from "../../log/watchers.ts";
import type { Logger } from "../../util/logger.ts";
import type { StreamFacts } from "../ipc/messages.ts";
import type { PrimaryLink } from "./primary-link.ts";

/** A stream's source in a worker: what the primary does, from afar. */
export interface Follower {
  readonly source: StreamSource;
  /** A hint of the primary's log. */
  take(hint: LogHint): void;
  /** A change of the primary's upstream. */
  announce(state: Announced): void;
  /** Resolves once the hub has all that the log holds now, or when the signal aborts. */
  catchUp(hub: Hub, signal: AbortSignal): Promise<void>;
}

/** Makes the source of a stream. `facts` are those that are known now. */
export function createFollower(
  reader: LogReader,
  facts: () => StreamFacts | undefined,
  primary: PrimaryLink,
  logger: Logger,
): Follower {
  const { stream } = reader;
  const log = createFollowerLog(
    reader,
    (events, options) => primary.call("append", { stream, events, options }),
    logger,
  );
  const listeners: Array<(state: Announced) => void> = [];
  let holds = 0;

  function count(change: 1 | -1): void {
    const before = holds > 0;
    holds += change;
    if (holds > 0 !== before) primary.send({ kind: "demand", stream, wanted: holds > 0 });
  }

  return {
    source: {
      log,
      append: log.append,
      upstream: () => facts()?.upstream,
      paused: () => facts()?.paused,
      hold() {
        let held = true;
        count(1);
        return () => {
          if (held) count(-1);
          held = false;
        };
      },
      onUpstream: (listener) => void listeners.push(listener),
    },
    take: (hint) => log.take(hint),
    announce: (state) => listeners.forEach((listener) => listener(state)),
    async catchUp(hub, signal) {
      const { head, earliest } = log.state();
      // A worker that was slow may not have been told of the last events.
      log.take({ head, earliest });
      while (hub.head < head && !signal.aborted) await hub.waitBeyond(head - 1, signal);
    },
  };
}

/** A log that another process writes: read from the store itself, followed by that process's hints. */
interface FollowerLog extends Log {
  /** Passes a hint on to those who watch. */
  take(hint: LogHint): void;
}

/** Makes a log of a reader and of the way to append. */
function createFollowerLog(reader: LogReader, append: Log["append"], logger: Logger): FollowerLog {
  const { stream, epoch, read, find } = reader;
  const watchers = createWatchers(stream, logger);
  let last = reader.state();
  return {
    stream,
    epoch,
    // Not out of the hints: a client may come with an id that it was given elsewhere a moment ago.
    state() {
      try {
        last = reader.state();
      } catch {
        // A store that cannot be read says so to the next one who reads.
      }
      return last;
    },
    append,
    read,
    find,
    watch: (listener) => watchers.add(listener),
    // Retention is for the process that writes.
    trim: () => Promise.resolve(0),
    take: (hint) => watchers.notify(hint),
  };
}
