import { setImmediate as nextTurn } from "node:timers/promises";
import { SpillwayError } from "../../errors.ts";
import { newEpoch } from "../cursor.ts";
import type {
  AlikeEvent,
  Batch,
  BatchOutcome,
  DriverFailure,
  GroupResult,
  LogDriver,
  OpenLog,
  ScanRange,
  ScanStep,
  StoredState,
  TrimBounds,
  TrimStep,
} from "../engine/driver.ts";
import { createIdIndex } from "../engine/id-index.ts";
import { toLogEvent } from "../engine/logged-events.ts";
import { heldBytes, textBytes } from "../event-bytes.ts";
import { type RememberedAppend, replayAppend } from "../idempotency.ts";
import type { LogEvent } from "../log.ts";
import { createIdempotencyKeys } from "./idempotency-keys.ts";
import { createRing } from "./ring.ts";

/** What one scan looks at, at most: less than a millisecond of work. */
const scanEvents = 4_096;

/** The log of one stream in memory. A class, since everything it does is to change its own state. */
export class MemoryLogDriver implements LogDriver {
  readonly #ring = createRing<LogEvent>();
  readonly #ids = { source: createIdIndex<string>(), publisher: createIdIndex<string>() };
  readonly #keys = createIdempotencyKeys();
  #log: Pick<OpenLog, "retention"> | undefined;
  readonly #epoch = newEpoch();
  #head = 0;
  #earliest = 1;
  #bytes = 0;
  #lastTime = 0;
  #upstreamCursor: string | undefined;
  #revision = 0;

  /** Serves a log, by whose retention every append is trimmed. */
  serve(log: Pick<OpenLog, "retention">): this {
    this.#log = log;
    return this;
  }

  /** Lets go of the log that it served: a closed one may stay closed for long. */
  async close(): Promise<void> {
    this.#log = undefined;
  }

  get state(): StoredState {
    return {
      epoch: this.#epoch,
      head: this.#head,
      earliest: this.#earliest,
      bytes: this.#bytes,
      lastTime: this.#lastTime,
      upstreamCursor: this.#upstreamCursor,
      revision: this.#revision,
    };
  }

  async append(_number: number, group: readonly Batch[]): Promise<GroupResult> {
    const events: LogEvent[] = [];
    const outcomes = group.map((batch) => this.#appendBatch(batch, events));
    // Number and size hold at every append; the age is looked at from time to time.
    const { events: most, bytes } = this.#log?.retention ?? {};
    this.#trim({ before: undefined, events: most, bytes }, Infinity);
    return { outcomes, state: this.state, events };
  }

  async settle(): Promise<undefined> {
    // Every append is answered.
  }

  async scan({ direction, filter, from, limit }: ScanRange): Promise<ScanStep> {
    const step = direction === "forward" ? this.#forward(from, filter ? scanEvents : limit) : this.#backward(from);
    // A search lets everything else take its turn between two steps.
    if (!step.end && (filter || direction === "backward")) await nextTurn();
    return step;
  }

  async latestOfSource(id: string): Promise<number | undefined> {
    return this.#ids.source.latest(id, this.#earliest);
  }

  async alike(origin: "source" | "publisher", id: string): Promise<readonly AlikeEvent[]> {
    return this.#ids[origin].first(id, this.#earliest).map((seq) => this.#at(seq));
  }

  /** Times never decrease, so the first event at or after a time is found by halving. */
  async beforeTime(since: number): Promise<number> {
    let low = this.#earliest;
    let high = this.#head + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#at(middle).time < since) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  async trim(bounds: TrimBounds, limit: number): Promise<TrimStep> {
    return { removed: this.#trim(bounds, limit), state: this.state };
  }

  async boundKeys(): Promise<void> {
    // Every append that has a key bounds them.
  }

  failure(error: unknown): DriverFailure {
    if (error instanceof SpillwayError) return { error };
    return { error: new SpillwayError("store-unavailable", String(error), { cause: error }), divisible: true };
  }

  #at(seq: number): LogEvent {
    return this.#ring.at(seq - this.#earliest);
  }

  #appendBatch({ events, options: { idempotency, upstreamCursor }, clock }: Batch, appended: LogEvent[]): BatchOutcome {
    const remembered = idempotency && this.#keys.get(idempotency, clock);
    if (remembered) return replayed(remembered, idempotency.fingerprint);
    const first = this.#head + 1;
    const time = Math.max(clock, this.#lastTime);
    for (const event of events) {
      const logged = toLogEvent(event, ++this.#head, time);
      this.#bytes += textBytes(logged);
      this.#lastTime = time;
      this.#ring.push(logged);
      appended.push(logged);
      const { upstreamId, published } = logged;
      const ids = published ? this.#ids.publisher : this.#ids.source;
      if (upstreamId !== undefined) ids.add(upstreamId, logged.seq, this.#earliest);
    }
    const last = this.#head;
    if (upstreamCursor !== undefined) this.#upstreamCursor = upstreamCursor || undefined;
    this.#revision++;
    if (idempotency) {
      const remember = { fingerprint: idempotency.fingerprint, first, last, time: clock };
      this.#keys.set(idempotency, remember, this.#log?.retention.keys ?? Infinity);
    }
    return { first, last, replayed: false };
  }

  #trim({ before = -Infinity, events = Infinity, bytes = Infinity }: TrimBounds, limit: number): number {
    let removed = 0;
    while (
      this.#ring.length > 0 &&
      removed < limit &&
      (this.#ring.length > events || this.#held() > bytes || this.#ring.at(0).time < before)
    ) {
      this.#bytes -= textBytes(this.#ring.shift());
      this.#earliest++;
      removed++;
    }
    if (removed === 0) return 0;
    this.#revision++;
    for (const ids of Object.values(this.#ids)) ids.trim(this.#earliest);
    return removed;
  }

  #held(): number {
    return heldBytes({ head: this.#head, earliest: this.#earliest, bytes: this.#bytes });
  }

  #forward(from: number, limit: number): ScanStep {
    const first = Math.max(from + 1, this.#earliest);
    const last = Math.min(this.#head, first + Math.min(limit, scanEvents) - 1);
    return this.#stepOver(first, last, { seq: Math.max(from, last), end: last >= this.#head });
  }

  #backward(from: number): ScanStep {
    const last = Math.min(this.#head, from - 1);
    const first = Math.max(this.#earliest, last - scanEvents + 1);
    const { events, ...rest } = this.#stepOver(first, last, {
      seq: Math.min(from, first),
      end: first <= this.#earliest,
    });
    return { events: events.toReversed(), ...rest };
  }

  #stepOver(first: number, last: number, place: Pick<ScanStep, "seq" | "end">): ScanStep {
    const events = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => this.#at(first + index));
    return { state: this.state, events, ...place };
  }
}

function replayed(remembered: RememberedAppend, fingerprint: string): BatchOutcome {
  try {
    return replayAppend(remembered, fingerprint);
  } catch (error) {
    return error as SpillwayError;
  }
}
