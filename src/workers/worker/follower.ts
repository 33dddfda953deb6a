import type { Announced } from "../../gateway/feed.ts";
import type { StreamSource } from "../../gateway/source.ts";
import type { Publish } from "../../http/gateway-context.ts";
import type { Hub } from "../../hub/hub.ts";
import type { Log, LogHint, LogReader } from "../../log/log.ts";
import { createWatchers } from "../../log/watchers.ts";
import type { Logger } from "../../util/logger.ts";
import type { StreamFacts } from "../ipc/messages.ts";
import type { PrimaryLink } from "./primary-link.ts";

/** A stream's source in a worker, which relies on the primary. */
export interface Follower {
  readonly source: StreamSource;
  /** Takes a hint of the primary's log. */
  take(hint: LogHint): void;
  /** Takes a state change of the primary's upstream. */
  announce(state: Announced): void;
  /** Resolves once the hub has all events that are in the log now, or when the signal aborts. */
  catchUp(hub: Hub, signal: AbortSignal): Promise<void>;
}

/** Creates the follower of a stream. `facts` returns the last known facts. */
export function createFollower(
  reader: LogReader,
  facts: () => StreamFacts | undefined,
  primary: PrimaryLink,
  logger: Logger,
): Follower {
  const { stream } = reader;
  const append: Publish = (events, options) => primary.call("append", { stream, events, options });
  const log = createFollowerLog(reader, append, logger);
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
      append,
      transform: () => facts()?.transform,
      definition: () => facts()?.definition,
      assertValid: async (event) => void (await primary.call("check", { stream, event })),
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
      // A slow worker may not have received the hints of the last events.
      log.take({ head, earliest });
      while (hub.head < head && !signal.aborted) await hub.waitBeyond(head - 1, signal);
    },
  };
}

/** A log that another process writes. It is read directly from the store, and followed by the other process's hints. */
interface FollowerLog extends Log {
  /** Passes a hint to the log's watchers. */
  take(hint: LogHint): void;
}

/** Creates a log from a reader and a function that appends. */
function createFollowerLog(reader: LogReader, append: Log["append"], logger: Logger): FollowerLog {
  const { stream, epoch, read, find } = reader;
  const watchers = createWatchers(stream, logger);
  let last = reader.state();
  return {
    stream,
    epoch,
    // Read from the store, not from the hints: a client may present an id that it has just received from another
    // worker.
    state() {
      try {
        last = reader.state();
      } catch {
        // The next read reports the error.
      }
      return last;
    },
    append,
    read,
    find,
    watch: (listener) => watchers.add(listener),
    // The process that writes applies the retention.
    trim: () => Promise.resolve(0),
    take: (hint) => watchers.notify(hint),
  };
}
