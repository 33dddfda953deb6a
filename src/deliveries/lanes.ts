import type { LogEvent } from "../log/log.ts";
import type { DeliveryOrder } from "./options.ts";

/** What the events of a lane have in common: the channel, the number of the only event, or nothing. */
export type LaneKey = string | number | null;

/** An event of a delivery. */
export interface TakenEvent extends LogEvent {
  /** Made in the place of missing events: it is not in the log. */
  readonly isGap?: true;
}

/**
 * Events that are sent one after the other. A lane exists while at least one of its events was taken from the log and
 * is not done yet.
 */
export interface Lane {
  readonly key: LaneKey;
  /** The events of the lane up to this number are done. */
  after: number;
  /** Failed attempts for the first event. */
  attempts: number;
  /** When the first event may be sent, in ms since 1970. */
  due: number;
  /** The first events, in memory. */
  queue: TakenEvent[];
  /** Whether the log may have taken events of the lane behind those in `queue`. */
  more: boolean;
}

/** A lane in the stored state: its key, `after`, `attempts` and `due`. */
export type StoredLane = readonly [key: LaneKey, after: number, attempts: number, due: number];

/** Events of a lane in memory. What follows is read from the log when its turn comes. */
export const queueLimit = 64;

/** The number of lanes of a delivery. At the limit it takes no event that would make a new one. */
const laneLimit = 1_000;

/** The lane of an event. */
export function laneKey(order: DeliveryOrder, { channel, seq }: TakenEvent): LaneKey {
  if (order === "none") return seq;
  return order === "strict" ? null : (channel ?? null);
}

/** The lanes of a delivery. */
export class Lanes {
  readonly #order: DeliveryOrder;
  readonly #lanes = new Map<LaneKey, Lane>();
  readonly #ready = new Set<Lane>();
  readonly #waiting = new Set<Lane>();
  #buffered = 0;
  /** No lane is due before, in ms since 1970. */
  #nextDue = 0;

  /** Continues with stored lanes. */
  constructor(order: DeliveryOrder, stored: readonly StoredLane[]) {
    this.#order = order;
    for (const [key, after, attempts, due] of stored) {
      const lane: Lane = { key, after, attempts, due, queue: [], more: order !== "none" };
      this.#lanes.set(key, lane);
      this.#waiting.add(lane);
    }
  }

  /** Lanes that can be sent and wait for their turn. */
  get ready(): number {
    return this.#ready.size;
  }

  /** Lanes that wait for a retry. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Characters of data in memory, approximately the bytes. */
  get buffered(): number {
    return this.#buffered;
  }

  /** Whether an event can be taken now. */
  fits(event: TakenEvent): boolean {
    const known = this.#lanes.get(laneKey(this.#order, event));
    if (!known) return this.#lanes.size < laneLimit;
    // Where there is only one lane, there is nothing to look for behind its queue.
    return this.#order !== "strict" || hasRoom(known);
  }

  /** Adds an event that was taken from the log. Returns whether it made a lane. */
  take(event: TakenEvent): boolean {
    const key = laneKey(this.#order, event);
    const known = this.#lanes.get(key);
    if (known) {
      if (hasRoom(known)) this.load(known, [event]);
      else known.more = true;
      return false;
    }
    const lane: Lane = { key, after: event.seq - 1, attempts: 0, due: 0, queue: [], more: false };
    this.load(lane, [event]);
    this.#lanes.set(key, lane);
    this.#ready.add(lane);
    return true;
  }

  /** The next lane to send. The caller has it until it calls `done`, `failed`, `putBack` or `end`. */
  next(): Lane | undefined {
    const [lane] = this.#ready;
    if (lane) this.#ready.delete(lane);
    return lane;
  }

  /** Puts events into the queue of a lane. */
  load(lane: Lane, events: readonly TakenEvent[]): void {
    for (const event of events) {
      lane.queue.push(event);
      this.#buffered += event.data.length;
    }
  }

  /** The first event of the caller's lane is done. */
  done(lane: Lane): void {
    const event = lane.queue.shift()!;
    this.#buffered -= event.data.length;
    lane.after = event.seq;
    lane.attempts = 0;
    lane.due = 0;
    if (lane.queue.length > 0 || lane.more) this.#ready.add(lane);
    else this.#lanes.delete(lane.key);
  }

  /** The first event of the caller's lane has failed; it is due again at a time in ms since 1970. */
  failed(lane: Lane, due: number): void {
    lane.after = lane.queue[0]!.seq - 1;
    lane.more ||= lane.queue.length > 1;
    lane.attempts++;
    lane.due = due;
    // Parked events are numbers, not bodies.
    for (const event of lane.queue) this.#buffered -= event.data.length;
    lane.queue = [];
    this.#waiting.add(lane);
    this.#nextDue = Math.min(this.#nextDue, due);
  }

  /** The caller's lane was not sent, for a reason that is not its own; its turn comes again. */
  putBack(lane: Lane): void {
    this.#ready.add(lane);
  }

  /** The caller's lane has no first event. It ends unless others were taken. */
  end(lane: Lane): void {
    lane.attempts = 0;
    if (lane.more) this.#ready.add(lane);
    else this.#lanes.delete(lane.key);
  }

  /** Makes the lanes ready that are due at this time. Returns when the next one is due; `Infinity` for never. */
  wake(now: number): number {
    if (now < this.#nextDue) return this.#nextDue;
    this.#nextDue = Infinity;
    for (const lane of this.#waiting) {
      if (lane.due > now) this.#nextDue = Math.min(this.#nextDue, lane.due);
      else if (this.#waiting.delete(lane)) this.#ready.add(lane);
    }
    return this.#nextDue;
  }

  /** Makes all lanes due now. */
  hurry(): void {
    for (const lane of this.#waiting) lane.due = 0;
    this.#nextDue = 0;
  }

  /** The lanes as they are stored. */
  stored(): readonly StoredLane[] {
    return Array.from(this.#lanes.values(), ({ key, after, attempts, due }) => [key, after, attempts, due] as const);
  }
}

/** Whether a lane's next event can be kept in memory: the events in its queue have no gap between them. */
function hasRoom({ attempts, more, queue }: Lane): boolean {
  return attempts === 0 && !more && queue.length < queueLimit;
}
