import { pause } from "../../util/pause.ts";
import type { Outage } from "../engine/outage.ts";
import type { OpenLog, StoredState } from "../engine/driver.ts";
import { textBytes } from "../event-bytes.ts";
import type { LogEvent } from "../log.ts";
import type { Command, Reply } from "./driver.ts";
import { cursorOf, type Entry, entriesFor, seqOf, toEntries, toEvent } from "./entry.ts";
import type { Link } from "./link.ts";
import type { FollowedLog } from "./log-scripts.ts";
import { revisionOf } from "./schema.ts";

/** Follows all logs of one server by one blocking read on a connection of its own. */
export interface Tail {
  add(log: FollowedLog): void;
  remove(log: FollowedLog): void;
  /** To be told of each new connection, by its number on the server. */
  connected(id: number): void;
  /** Stops with the end of its connection. */
  stop(): void;
}

/** How long the server holds back an answer while there is nothing to tell, and what is waited beyond that, in ms. */
const block = 1_000;
const grace = 2_000;
/** The pause after a failure, and between two tries to wake the server, in ms. */
const retryDelay = 50;

/** Makes a tail that follows nothing. `link` is its own; `control` is another link to the same server, which interrupts the read. */
export function createTail(link: Link, control: Link, outage: Outage): Tail {
  const logs = new Set<FollowedLog>();
  const stopping = new AbortController();
  let running = false;
  let id = 0;
  /** There is a log that the read under way does not follow. */
  let added = false;

  async function readOnce(): Promise<void> {
    const followed = [...logs];
    added = false;
    const reply = await link.send(readCommand(followed), block + grace);
    outage.heard(logs);
    for (const [key, entries] of (reply ?? []) as readonly (readonly [Buffer, Reply])[]) {
      const name = key.toString();
      const found = followed.find((each) => each.scripts.events === name && logs.has(each));
      if (found) takeEntries(found.log, toEntries(entries));
    }
  }

  async function run(): Promise<void> {
    running = true;
    while (logs.size > 0 && !stopping.signal.aborted) {
      try {
        await readOnce();
      } catch {
        // The link says what is wrong, once.
        await pause(retryDelay, stopping.signal);
      }
    }
    running = false;
    outage.forget(logs);
  }

  /** Interrupts the read, again and again: it may be on its way to the server yet. */
  async function wake(): Promise<void> {
    while (added && !stopping.signal.aborted) {
      try {
        await control.send(["CLIENT", "UNBLOCK", String(id)]);
      } catch {
        // Then the read ends by itself within a second.
        return;
      }
      await pause(retryDelay / 10, stopping.signal);
    }
  }

  return {
    add(log) {
      logs.add(log);
      if (!running) return void run();
      const waking = added;
      added = true;
      if (!waking) void wake();
    },
    remove: (log) => void logs.delete(log),
    connected: (number) => void (id = number),
    stop: () => stopping.abort(),
  };
}

/** It is asked for what is behind the last event reported, so nothing is skipped and little comes twice, whatever happened before. */
function readCommand(logs: readonly FollowedLog[]): Command {
  const count = Math.min(...logs.map(({ log }) => entriesFor(log.known)));
  const keys = logs.map(({ scripts }) => scripts.events);
  const positions = logs.map(({ log }) => `${log.position}-0`);
  return ["XREAD", "COUNT", String(count), "BLOCK", String(block), "STREAMS", ...keys, ...positions];
}

/** Reports the next entries of a log; some may be known already. */
function takeEntries(log: OpenLog, entries: readonly Entry[]): void {
  const fresh = entries.filter((entry) => seqOf(entry) > log.position);
  if (fresh.length === 0) return;
  const events = fresh.map(toEvent);
  log.observe(advance(log.known, fresh, events), events);
}

/** The state behind entries, as far as no state from the server has them already. */
function advance(known: StoredState, entries: readonly Entry[], events: readonly LogEvent[]): StoredState {
  const first = events.findIndex(({ seq }) => seq > known.head);
  if (first === -1) return known;
  let { bytes, upstreamCursor } = known;
  for (let index = first; index < events.length; index++) {
    bytes += textBytes(events[index]!);
    const cursor = cursorOf(entries[index]!);
    if (cursor !== undefined) upstreamCursor = cursor || undefined;
  }
  const { seq: head, time: lastTime } = events.at(-1)!;
  const { earliest } = known;
  return { ...known, head, lastTime, bytes, upstreamCursor, revision: revisionOf({ head, earliest }) };
}
