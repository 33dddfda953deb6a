import type { Log, LogEvent, LogHint, LogState } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";

/** What receives the log's events. */
export interface TailTarget {
  /** The last sequence number that the target has received. */
  readonly head: number;
  /** Takes the next events. There is a gap before them if retention was faster. */
  take(events: readonly LogEvent[]): void;
  /** Skips to this sequence number, because retention has removed all events up to it. */
  skip(head: number): void;
}

/** The limits of one read from the log. */
const pageSize = { limit: 512, maxBytes: 1024 * 1024 };
/** The delay before a failed read is retried, in ms. */
const retryDelay = 1000;

/** Follows a log: takes the events that a hint includes, and reads all others. */
export class Tail {
  readonly #log: Log;
  readonly #logger: Logger;
  readonly #target: TailTarget;
  /** The log's head according to the hints. */
  #known: number;
  #pulling = false;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;
  #unwatch: () => void = () => {};

  constructor(log: Log, logger: Logger, target: TailTarget) {
    this.#log = log;
    this.#logger = logger;
    this.#target = target;
    this.#known = log.state().head;
  }

  /** Resolves once the target has all events that were in the log at the start. */
  start(): Promise<void> {
    this.#unwatch = this.#log.watch((hint) => this.#onHint(hint));
    return this.#pull();
  }

  stop(): void {
    this.#stopped = true;
    this.#unwatch();
  }

  #onHint({ head, events }: LogHint): void {
    this.#known = Math.max(this.#known, head);
    if (events && events[0]?.seq === this.#target.head + 1 && !this.#pulling) this.#target.take(events);
    else void this.#pull();
  }

  async #pull(): Promise<void> {
    if (this.#pulling || this.#retry) return;
    this.#pulling = true;
    try {
      while (this.#target.head < this.#known && !this.#stopped) {
        const { events, scanned } = await this.#log.read(this.#target.head, pageSize);
        if (events.length > 0) this.#target.take(events);
        else if (scanned > this.#target.head) this.#target.skip(scanned);
        else break;
      }
    } catch (error) {
      if (!this.#stopped) this.#logger.error({ err: error }, "reading the log failed");
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        void this.#pull();
      }, retryDelay).unref();
    } finally {
      this.#pulling = false;
    }
  }
}

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
