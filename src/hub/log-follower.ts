import { Tail } from "./tail.ts";
import type { Log, LogEvent } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import { shareNext } from "../util/share-next.ts";

/** Events read at once. */
const pageEvents = 512;

/** Follows a log from its beginning and takes every event once, in order. */
export class LogFollower {
  readonly log: Log;
  head = 0;
  /**
   * Resolves once all events have been taken that were in the log at the call, whichever node appended them. Calls
   * during a read share the next read.
   * @throws {SpillwayError} `store-unavailable`
   */
  readonly catchUp: () => Promise<void> = shareNext(() => this.#read());
  readonly #tail: Tail;
  readonly #onEvent: (event: LogEvent) => void;

  constructor(log: Log, onEvent: (event: LogEvent) => void, logger: Logger) {
    this.log = log;
    this.#onEvent = onEvent;
    this.#tail = new Tail(log, logger, this);
  }

  /** Resolves once all events have been taken up to the head that this node knows. */
  start(): Promise<void> {
    return this.#tail.start();
  }

  stop(): void {
    this.#tail.stop();
  }

  take(events: readonly LogEvent[]): void {
    for (const event of events) {
      if (event.seq <= this.head) continue;
      this.head = event.seq;
      this.#onEvent(event);
    }
  }

  skip(head: number): void {
    this.head = Math.max(this.head, head);
  }

  async #read(): Promise<void> {
    for (let more = true; more;) {
      const { events, scanned } = await this.log.read(this.head, { limit: pageEvents });
      more = events.length > 0;
      this.take(events);
      this.skip(scanned);
    }
  }
}
