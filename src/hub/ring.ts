import type { LogEvent, LogState } from "../log/log.ts";

/** The limits of a ring. */
export interface RingLimits {
  readonly events: number;
  /** Approximate bytes of event data. */
  readonly bytes: number;
}

/** The log's last events in memory: those from `first` to `head`, without a gap. */
export class Ring {
  #events: LogEvent[] = [];
  /** The index of the first event in `#events`. The array is not cut at every eviction, but only now and then. */
  #start = 0;
  #bytes = 0;
  readonly #limits: RingLimits;
  /** The last sequence number seen. */
  head: number;

  constructor(head: number, limits: RingLimits) {
    this.head = head;
    this.#limits = limits;
  }

  /** The first sequence number in the ring; `head + 1` if it is empty. */
  get first(): number {
    return this.head + 1 - (this.#events.length - this.#start);
  }

  /** Whether the ring has all events after `after`. */
  holds(after: number): boolean {
    return after + 1 >= this.first;
  }

  /** The event with a sequence number that is in the ring. */
  at(seq: number): LogEvent {
    return this.#events[this.#start + seq - this.first]!;
  }

  /** Adds the next event and evicts the oldest beyond the limits. After a gap, the ring restarts with the event. */
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

  /** Removes all events and sets the head. */
  restart(head: number): void {
    this.head = head;
    this.#events = [];
    this.#start = 0;
    this.#bytes = 0;
  }
}

/** How many of a log's last events fit into `limit` bytes, estimated by the average size of its events. */
export function eventsThatFit({ events, bytes }: LogState, limit: number): number {
  return Math.min(events, Math.floor((limit * events) / Math.max(bytes, 1)));
}

/** The approximate size of an event's object and string headers in V8, in bytes. */
const overhead = 200;

function weight(event: LogEvent): number {
  return event.data.length + overhead;
}
