import type { Log, LogEvent, LogHint } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";

/** What receives the log's events. */
export interface TailTarget {
  /** The last sequence number it received. */
  readonly head: number;
  /** The next events; there is a hole before them if retention was faster. */
  take(events: readonly LogEvent[]): void;
  /** No event is left up to here. */
  skip(head: number): void;
}

/** What is read at once where events were not handed over, and the pause after a failure, in ms. */
const pageSize = { limit: 512, maxBytes: 1024 * 1024 };
const retryDelay = 1000;

/** Follows a log: takes the events that come with a hint, and reads those that do not. */
export class Tail {
  readonly #log: Log;
  readonly #logger: Logger;
  readonly #target: TailTarget;
  /** The log's head as far as was heard. */
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

  /** Resolves once the target knows what was in the log at the start. */
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
