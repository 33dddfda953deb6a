import { formatCursor } from "../log/cursor.ts";
import type { Log, LogFilter, LogPage, ReadOptions } from "../log/log.ts";
import type { Gap } from "../events/control.ts";

/** A page of a log, and the gap before it. */
export interface ReadPage extends LogPage {
  /** The events that retention has removed between the requested position and the first event in the log. */
  readonly gap: Gap | undefined;
}

/** Reads the page after a position. */
export async function readFrom(log: Log, position: number, options: ReadOptions): Promise<ReadPage> {
  const page = await log.read(position, options);
  return { ...page, gap: page.earliest > position + 1 ? trimmedGap(log.epoch, position, page.earliest) : undefined };
}

/** The gap that retention has left between a position and the first event in the log. */
export function trimmedGap(epoch: string, position: number, earliest: number): Gap {
  return {
    reason: "trimmed",
    requested: formatCursor(epoch, position),
    earliest: formatCursor(epoch, earliest),
    lost: earliest - position - 1,
  };
}

/** A log whose head is known in this process: the part of a stream that a cursor needs. */
interface FollowedLog {
  readonly log: Log;
  readonly hub: {
    /** The last known sequence number. */
    readonly head: number;
    /** See {@link Hub.waitBeyond}. */
    waitBeyond(seq: number, signal: AbortSignal, filter?: LogFilter): Promise<number | undefined>;
  };
}

/** Reads a stream on demand, for long polls and iterators. */
export class LogCursor {
  /** All events up to here were read, or do not match the filter. */
  position: number;
  readonly #log: Log;
  readonly #hub: FollowedLog["hub"];
  readonly #options: ReadOptions;

  constructor({ log, hub }: FollowedLog, position: number, options: ReadOptions) {
    this.#log = log;
    this.#hub = hub;
    this.position = position;
    this.#options = options;
  }

  /** Whether there are events after the position. */
  get behind(): boolean {
    return this.position < this.#hub.head;
  }

  /** Reads the next page, which may have no events, and advances past it. */
  async next(): Promise<ReadPage> {
    const page = await readFrom(this.#log, this.position, this.#options);
    this.position = page.scanned;
    return page;
  }

  /** Waits until the next page may have events, the signal aborts, or the hub closes. */
  async wait(signal: AbortSignal): Promise<void> {
    this.position = (await this.#hub.waitBeyond(this.position, signal, this.#options.filter)) ?? this.position;
  }
}
