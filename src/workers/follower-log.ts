import type { Log, LogHint, LogReader } from "../log/log.ts";
import { createWatchers } from "../log/watchers.ts";
import type { Logger } from "../util/logger.ts";

/** A log that another process writes: read from the store itself, followed by that process's hints. */
export interface FollowerLog extends Log {
  /** Passes a hint on to those who watch. */
  take(hint: LogHint): void;
}

/** Makes a log of a reader and of the way to append. */
export function createFollowerLog(reader: LogReader, append: Log["append"], logger: Logger): FollowerLog {
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
