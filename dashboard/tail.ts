/** The live tail of a stream: the last events, and a count of those that there was no time to show. */
import { signal, type Signal } from "@preact/signals";
import { subscribe, type ClientEvent, type Gap, type StartPosition, type Subscription } from "spillway/client";
import { endpoint, headers } from "./api.ts";

/** What a row of the tail shows. */
export type TailEntry =
  | { readonly kind: "event"; readonly key: number; readonly event: ClientEvent; readonly time: number }
  /** Events that arrived too fast, or while the tail was paused. Nothing is left out without such an entry. */
  | { readonly kind: "skipped"; readonly key: number; readonly events: number }
  | { readonly kind: "gap"; readonly key: number; readonly gap: Gap };

export interface TailOptions {
  readonly stream: string;
  readonly start: StartPosition;
  readonly channels?: readonly string[] | undefined;
  readonly events?: readonly string[] | undefined;
  readonly filter?: string | undefined;
}

export interface Tail {
  /** The newest entry is the last one. */
  readonly entries: Signal<readonly TailEntry[]>;
  /** All events that were received. */
  readonly received: Signal<number>;
  /** Those of them that no row shows, because they arrived too fast or while the tail was paused. */
  readonly skipped: Signal<number>;
  readonly paused: Signal<boolean>;
  /** The state of the connection. */
  readonly status: Signal<string>;
  readonly error: Signal<Error | undefined>;
  close(): void;
}

/** How many entries are kept. */
const mostEntries = 500;
/** How many events are shown of those that arrive within one update, and the interval of updates, in ms. */
const mostNew = 40;
const updateInterval = 200;

/** How long the page may be hidden before the tail pauses, in ms. It then continues where it was. */
const pauseHidden = 60_000;

/** Follows a stream. */
export function openTail({ stream, start, ...filter }: TailOptions): Tail {
  const tail = {
    entries: signal<readonly TailEntry[]>([]),
    received: signal(0),
    skipped: signal(0),
    paused: signal(false),
    status: signal("connecting"),
    error: signal<Error | undefined>(undefined),
  };
  let received = 0;
  let nextKey = 0;
  let skippedNow = 0;
  let fresh: TailEntry[] = [];

  /** Keeps the newest events of this update, and counts the others. */
  function take(event: ClientEvent): void {
    received++;
    if (tail.paused.peek()) return void skippedNow++;
    fresh.push({ kind: "event", key: nextKey++, event, time: Date.now() });
    if (fresh.length <= mostNew) return;
    const oldest = fresh.findIndex(({ kind }) => kind === "event");
    fresh.splice(oldest, 1);
    skippedNow++;
  }

  function update(): void {
    if (received === tail.received.peek() && fresh.length === 0) return;
    tail.received.value = received;
    if (skippedNow > 0) {
      tail.skipped.value += skippedNow;
      tail.entries.value = addSkipped(tail.entries.peek(), skippedNow, nextKey++);
      skippedNow = 0;
    }
    tail.entries.value = [...tail.entries.peek(), ...fresh].slice(-mostEntries);
    fresh = [];
  }

  const subscription: Subscription = subscribe(endpoint(`streams/${encodeURIComponent(stream)}`), {
    ...filter,
    start,
    headers,
    hidden: pauseHidden,
    // The view parses what it shows.
    parse: (raw) => raw,
    onGap: (gap) => void fresh.push({ kind: "gap", key: nextKey++, gap }),
  });
  subscription.on("*", take);
  subscription.onState((state) => {
    tail.status.value = state.status;
    tail.error.value = "error" in state ? state.error : undefined;
  });
  const timer = setInterval(update, updateInterval);
  return {
    ...tail,
    close() {
      clearInterval(timer);
      subscription.close();
    },
  };
}

/** Counts on in the last entry if it is one of skipped events. */
function addSkipped(entries: readonly TailEntry[], events: number, key: number): readonly TailEntry[] {
  const last = entries.at(-1);
  if (last?.kind !== "skipped") return [...entries, { kind: "skipped", key, events }];
  return [...entries.slice(0, -1), { ...last, events: last.events + events }];
}
