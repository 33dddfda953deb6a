import type { Log, LogEvent, LogHint } from "../log/log.ts";
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
