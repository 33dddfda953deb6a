import { SpillwayError } from "../errors.ts";
import type { Hub } from "../hub/hub.ts";
import { LogCursor } from "../hub/read-from.ts";
import type { AppendOptions, Appended, Log, LogEvent, NewEvent } from "../log/log.ts";
import { pause } from "../util/pause.ts";
import {
  endId,
  newToken,
  toEnd,
  toRecord,
  toRun,
  type Run,
  type RunEnd,
  type RunHead,
  type RunStart,
  type StoredEnd,
} from "./record.ts";

/** A run that was claimed: it is new, or there was one with the same key. */
export interface ClaimedRun {
  readonly run: Run;
  readonly isNew: boolean;
}

/** How long an append whose outcome is unknown is repeated, in ms, and the pause between two attempts. */
const unknownFor = 30_000;
const retryDelay = 500;

/** Reads and writes the records of runs. */
export class RunJournal {
  readonly log: Log;
  readonly hub: Hub;
  readonly #closing = new AbortController();

  constructor(log: Log, hub: Hub) {
    this.log = log;
    this.hub = hub;
  }

  /** Aborts when nothing is written any more. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  close(): void {
    this.#closing.abort();
  }

  /**
   * Starts a run. With a key, exactly one of all processes starts the next run behind `before`; the others get that
   * one.
   * @param before the sequence number of the last run with this key; 0 if there is none
   * @throws {SpillwayError} as {@link Log.append} does.
   */
  async claim(start: RunStart, before = 0): Promise<ClaimedRun> {
    const token = newToken();
    const { key } = start;
    const idempotency = key === undefined ? undefined : { owner: "run", key: `${key} ${before}`, fingerprint: "" };
    const { first, replayed } = await this.append([toRecord("start", token, start, key)], { idempotency });
    if (!replayed) return { run: { token, seq: first, startedAt: Date.now(), start }, isNew: true };
    const run = await this.at(first);
    // Retention has removed it since.
    if (!run) throw new SpillwayError("store-unavailable", "the run with this key is no longer stored");
    return { run, isNew: false };
  }

  /** The run that begins at a sequence number; `undefined` if none does. */
  async at(seq: number): Promise<Run | undefined> {
    const { events } = await this.log.read(seq - 1, { limit: 1 });
    return events[0]?.seq === seq ? toRun(events[0]) : undefined;
  }

  /** The last run with a key. */
  async latest(key: string): Promise<Run | undefined> {
    const seq = await this.log.find({ sourceId: key });
    return seq === undefined ? undefined : this.at(seq);
  }

  /** The run that has given itself an id. */
  async named(alias: string): Promise<Run | undefined> {
    const event = await this.#found(alias);
    return event?.event === "alias" ? this.at(Number(event.data)) : undefined;
  }

  /** The end of a run; `undefined` while it is running. */
  async endOf({ token }: Pick<Run, "token">): Promise<StoredEnd | undefined> {
    const event = await this.#found(endId(token));
    return event && toEnd(event);
  }

  /** Waits for the head of a run's response; `undefined` if the run ends without one, or the signal aborts. */
  async headOf({ seq, token }: Run, signal: AbortSignal): Promise<RunHead | undefined> {
    const cursor = new LogCursor({ log: this.log, hub: this.hub }, seq, { filter: { channels: [token] }, limit: 1 });
    while (!signal.aborted && !this.hub.closed) {
      if (!cursor.behind) await cursor.wait(signal);
      const [event] = (await cursor.next()).events;
      if (event?.event === "head") return JSON.parse(event.data) as RunHead;
      if (event?.event === "end") return undefined;
    }
    return undefined;
  }

  /** The first pages of a run's records behind a position, until `take` returns false or the signal aborts. */
  async scan(
    { token }: Pick<Run, "token">,
    after: number,
    take: (event: LogEvent) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const options = { filter: { channels: [token] }, limit: 500, maxBytes: 1024 * 1024 };
    const cursor = new LogCursor({ log: this.log, hub: this.hub }, after, options);
    while (cursor.behind && !signal.aborted) if (!(await cursor.next()).events.every(take)) return;
  }

  /**
   * Appends records. An append whose outcome is unknown is repeated for some time.
   * @throws {SpillwayError} as {@link Log.append} does.
   */
  async append(events: readonly NewEvent[], options: AppendOptions = {}): Promise<Appended> {
    const retryToken = {};
    const deadline = performance.now() + unknownFor;
    for (;;) {
      try {
        return await this.log.append(events, { ...options, retryToken });
      } catch (error) {
        const isUnknown = error instanceof SpillwayError && error.code === "append-unknown";
        if (!isUnknown || this.closing.aborted || performance.now() > deadline) throw error;
        await pause(retryDelay, this.closing);
      }
    }
  }

  /** Ends a run, with its last records. Of several ends the first one counts. */
  async end({ token }: Pick<Run, "token">, end: RunEnd, last: readonly NewEvent[] = []): Promise<void> {
    const idempotency = { owner: "run", key: endId(token), fingerprint: "" };
    await this.append([...last, toRecord("end", token, end, endId(token))], { idempotency });
  }

  /** Ends a run, and repeats that until the store takes it. */
  async endSurely(run: Pick<Run, "token">, end: RunEnd): Promise<void> {
    while (!this.closing.aborted) {
      try {
        return await this.end(run, end);
      } catch {
        await pause(retryDelay, this.closing);
      }
    }
  }

  async #found(id: string): Promise<LogEvent | undefined> {
    const seq = await this.log.find({ sourceId: id });
    if (seq === undefined) return undefined;
    const { events } = await this.log.read(seq - 1, { limit: 1 });
    return events[0]?.seq === seq ? events[0] : undefined;
  }
}
