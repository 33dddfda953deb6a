import { formatCursor } from "../log/cursor.ts";
import type { Log, LogFilter, LogPage, ReadOptions } from "../log/log.ts";
import type { Gap } from "./control.ts";

/** A page of a log, and the hole that lies before it. */
export interface ReadPage extends LogPage {
  /** What retention removed between the position read from and the first event held. */
  readonly gap: Gap | undefined;
}

/** Reads the page behind a position. */
export async function readFrom(log: Log, position: number, options: ReadOptions): Promise<ReadPage> {
  const page = await log.read(position, options);
  return { ...page, gap: page.earliest > position + 1 ? trimmedGap(log.epoch, position, page.earliest) : undefined };
}

/** The hole that retention left between a position and the first event still held. */
export function trimmedGap(epoch: string, position: number, earliest: number): Gap {
  return {
    reason: "trimmed",
    requested: formatCursor(epoch, position),
    earliest: formatCursor(epoch, earliest),
    lost: earliest - position - 1,
  };
}

/** A log of which it is known here how far it goes: the part of a stream that a cursor needs. */
interface FollowedLog {
  readonly log: Log;
  readonly hub: {
    /** The last sequence number known. */
    readonly head: number;
    /** See {@link Hub.waitBeyond}. */
    waitBeyond(seq: number, signal: AbortSignal, filter?: LogFilter): Promise<number | undefined>;
  };
}

/** A reader of a stream that decides itself when it reads: a long poll, or an iterator. */
export class LogCursor {
  /** Everything up to here was read, or does not match the filter. */
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

  /** Whether there are events that were not looked at. */
  get behind(): boolean {
    return this.position < this.#hub.head;
  }

  /** Reads the next page, which may be without events, and moves behind it. */
  async next(): Promise<ReadPage> {
    const page = await readFrom(this.#log, this.position, this.#options);
    this.position = page.scanned;
    return page;
  }

  /** Waits until the next page may have events; until the signal aborts, or the hub is closed. */
  async wait(signal: AbortSignal): Promise<void> {
    this.position = (await this.#hub.waitBeyond(this.position, signal, this.#options.filter)) ?? this.position;
  }
}
