import { pause } from "../../util/pause.ts";
import type { Outage } from "../engine/outage.ts";
import type { Command, Reply } from "./driver.ts";
import { type Entry, toEntries } from "./entry.ts";
import type { Link } from "./link.ts";

/** A log that is followed. */
export interface Followed {
  /** The key of its events. */
  readonly key: string;
  /** The last event its watchers were told of. */
  readonly told: number;
  /** How many entries to read at once. */
  readonly pageSize: number;
  /** Takes the next entries; some may be known already. */
  take(entries: readonly Entry[]): void;
}

/** Follows all logs of one server by one blocking read on a connection of its own. */
export interface Tail {
  add(log: Followed): void;
  remove(log: Followed): void;
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

/** Makes a tail that follows nothing. `link` is its own; `control` another one to the same server, to interrupt the read by. */
export function createTail(link: Link, control: Link, outage: Outage): Tail {
  const logs = new Set<Followed>();
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
      followed.find((log) => log.key === name && logs.has(log))?.take(toEntries(entries));
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

/** It is asked for what is behind the last event told, so nothing is skipped and little comes twice, whatever happened before. */
function readCommand(logs: readonly Followed[]): Command {
  const count = Math.min(...logs.map(({ pageSize }) => pageSize));
  const keys = logs.map(({ key }) => key);
  const positions = logs.map(({ told }) => `${told}-0`);
  return ["XREAD", "COUNT", String(count), "BLOCK", String(block), "STREAMS", ...keys, ...positions];
}
