import type { LogEvent, LogState } from "../log/log.ts";

/** How much of the log's end is kept in memory. */
export interface RingLimits {
  readonly events: number;
  /** Approximate bytes of event data. */
  readonly bytes: number;
}

/** The end of the log in memory: the events from `first` to `head`, without a hole. */
export class Ring {
  #events: LogEvent[] = [];
  /** Where the kept events start in `#events`: the front is cut off now and then, not at every eviction. */
  #start = 0;
  #bytes = 0;
  readonly #limits: RingLimits;
  /** The last sequence number seen. */
  head: number;

  constructor(head: number, limits: RingLimits) {
    this.head = head;
    this.#limits = limits;
  }

  /** The first sequence number kept; `head + 1` when empty. */
  get first(): number {
    return this.head + 1 - (this.#events.length - this.#start);
  }

  /** Whether everything behind `after` is here. */
  holds(after: number): boolean {
    return after + 1 >= this.first;
  }

  /** The event of a kept sequence number. */
  at(seq: number): LogEvent {
    return this.#events[this.#start + seq - this.first]!;
  }

  /** Adds the next event and evicts the oldest beyond the limits. If there is a hole before it, the ring starts again. */
  push(event: LogEvent): void {
    if (event.seq !== this.head + 1) this.restart(event.seq - 1);
    this.#events.push(event);
    this.head = event.seq;
    this.#bytes += weight(event);
    while (this.#events.length - this.#start > this.#limits.events || this.#bytes > this.#limits.bytes) {
      this.#bytes -= weight(this.#events[this.#start++]!);
    }
    if (this.#start > this.#events.length / 2) {
      this.#events = this.#events.slice(this.#start);
      this.#start = 0;
    }
  }

  /** Forgets everything and stands at `head`. */
  restart(head: number): void {
    this.head = head;
    this.#events = [];
    this.#start = 0;
    this.#bytes = 0;
  }
}

/** How many of a log's last events fit into `limit` bytes, if they have the average size of its events. */
export function eventsThatFit({ events, bytes }: LogState, limit: number): number {
  return Math.min(events, Math.floor((limit * events) / Math.max(bytes, 1)));
}

/** Object and string headers of one event in V8, roughly. */
const overhead = 200;

function weight(event: LogEvent): number {
  return event.data.length + overhead;
}
