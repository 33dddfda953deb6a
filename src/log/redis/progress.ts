import { textBytes } from "../event-bytes.ts";
import type { LogEvent } from "../log.ts";
import type { Watchers } from "../watchers.ts";
import { cursorOf, type Entry, seqOf, toEvent } from "./entry.ts";
import type { Snapshot } from "./schema.ts";

/** What a node knows of a log, and has told its watchers: it hears of it in several ways, in any order. */
export interface Progress {
  /** Where the log stands. */
  standing(): Snapshot;
  /** The last event that the watchers were told of. */
  told(): number;
  /** Takes over where the server says that the log stands. */
  update(snapshot: Snapshot): void;
  /** Takes entries that the tail has read; some may be known already. */
  take(entries: readonly Entry[]): void;
  /** Takes events just appended by this node, none or without a hole, and where the log stood behind them. */
  appended(events: readonly LogEvent[], snapshot: Snapshot): void;
}

/** Makes the progress of a log that stands at `snapshot`. */
export function createProgress(snapshot: Snapshot, watchers: Watchers): Progress {
  let standing = snapshot;
  let told = snapshot.head;

  /** Returns whether events were removed. */
  function move(next: Snapshot): boolean {
    const { head, earliest } = standing;
    // The tail may have brought events that came behind this snapshot.
    standing = next.head < head ? { ...standing, earliest: Math.max(earliest, next.earliest) } : next;
    // What was removed before anyone was told of it is told of no more.
    told = Math.max(told, standing.earliest - 1);
    return standing.earliest > earliest;
  }

  function tellTrimmed(): void {
    watchers.notify({ head: standing.head, earliest: standing.earliest });
  }

  function tell(events: readonly LogEvent[]): void {
    const head = events.at(-1)!.seq;
    told = Math.max(told, head);
    watchers.notify({ head, earliest: standing.earliest, events });
  }

  /** Moves on by entries that no snapshot has shown yet. */
  function advance(entries: readonly Entry[], events: readonly LogEvent[]): void {
    const first = events.findIndex(({ seq }) => seq > standing.head);
    if (first === -1) return;
    let { bytes, upstreamCursor } = standing;
    for (let index = first; index < events.length; index++) {
      bytes += textBytes(events[index]!);
      const cursor = cursorOf(entries[index]!);
      if (cursor !== undefined) upstreamCursor = cursor || undefined;
    }
    const { seq, time } = events.at(-1)!;
    standing = { ...standing, head: seq, lastTime: time, bytes, upstreamCursor };
  }

  return {
    standing: () => standing,
    told: () => told,
    update(next) {
      if (move(next)) tellTrimmed();
    },
    take(entries) {
      const fresh = entries.filter((entry) => seqOf(entry) > told);
      if (fresh.length === 0) return;
      const events = fresh.map(toEvent);
      advance(fresh, events);
      tell(events);
    },
    appended(events, next) {
      // If there are events of other nodes in between, the tail brings these after those.
      const isNext = events[0]?.seq === told + 1;
      const trimmed = move(next);
      if (isNext) tell(events);
      else if (trimmed) tellTrimmed();
    },
  };
}
