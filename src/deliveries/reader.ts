import { addConditions, narrow } from "../http/filter.ts";
import type { Gap } from "../events/control.ts";
import { formatCursor } from "../log/cursor.ts";
import type { EventCondition, Log } from "../log/log.ts";
import { matches } from "../log/filter.ts";
import { laneKey, queueLimit, type Lane, type TakenEvent } from "./lanes.ts";
import type { DeliveryOptions } from "./options.ts";

/** Reads the events of a delivery from its stream. Where retention was faster, a gap event stands in their place. */
export interface Reader {
  /** Events up to this number were read by `next`. */
  readonly position: number;
  /** The next event that `shift` returns, if one is in memory. */
  readonly first: TakenEvent | undefined;
  /** Removes and returns the first event in memory. */
  shift(): TakenEvent | undefined;
  /**
   * Reads the next page, in the place of the last one.
   * @throws {SpillwayError} a `store-…` code.
   */
  next(): Promise<void>;
  /**
   * Reads the first events of a lane again, up to the number `taken()`. Passes them to `push`, and notes in `lane.more`
   * whether others follow, in one step: no event may be taken in between.
   * @throws {SpillwayError} a `store-…` code.
   */
  load(lane: Lane, taken: () => number, push: (events: readonly TakenEvent[]) => void): Promise<void>;
}

/** A page of the log. */
const page = { limit: 256, maxBytes: 1024 * 1024 };

/**
 * Makes the reader of a log that continues behind a number. `first` stands before the events of the log.
 * @param where conditions in addition to the options' names
 */
export function createReader(
  log: Log,
  options: DeliveryOptions,
  where: readonly EventCondition[],
  from: number,
  first: readonly TakenEvent[] = [],
): Reader {
  const { order } = options;
  const filter = addConditions(narrow(options, {}), where);
  let position = from;
  let events = first;
  let index = 0;

  /** The first event of a lane whose number is known, or that has no others. */
  async function loadFirst(lane: Lane): Promise<readonly TakenEvent[]> {
    const after = lane.after;
    const read = await log.read(after, { limit: 1 });
    if (read.earliest > after + 1) return [trimmed(log, lane, after, read.earliest)];
    // The filter may have changed.
    return read.events.filter((event) => event.seq === after + 1 && matches(filter, event));
  }

  return {
    get position() {
      return position;
    },
    get first() {
      return events[index];
    },
    shift: () => events[index++],
    async next() {
      const read = await log.read(position, { filter, ...page });
      const missing = read.earliest > position + 1 ? [trimmed(log, undefined, position, read.earliest)] : [];
      events = [...missing, ...read.events];
      index = 0;
      position = Math.max(position, read.scanned, read.earliest - 1);
    },
    async load(lane, taken, push) {
      if (order === "none" || (lane.attempts > 0 && !lane.more)) return push(await loadFirst(lane));
      const wanted = typeof lane.key === "string" ? { ...filter, channels: [lane.key] } : filter;
      for (let after = lane.after; ;) {
        const read = await log.read(after, { filter: wanted, ...page, limit: queueLimit });
        if (read.earliest > after + 1) return push([trimmed(log, lane, after, read.earliest)]);
        lane.more = read.scanned < taken();
        const found = read.events.filter(
          (event) => event.seq <= taken() && laneKey(order, event) === lane.key && matches(filter, event),
        );
        if (found.length > 0 || !lane.more) return push(found);
        after = read.scanned;
      }
    },
  };
}

/** The event that stands for events that retention has removed. */
function trimmed({ epoch }: Log, lane: Lane | undefined, after: number, earliest: number): TakenEvent {
  const requested = formatCursor(epoch, after);
  const lost = earliest - after - 1;
  return gapEvent({ reason: "trimmed", requested, earliest: formatCursor(epoch, earliest), lost }, earliest, lane?.key);
}

/** An event that stands for missing ones before the number `earliest`, as subscribers get it. */
export function gapEvent(gap: Gap, earliest: number, lane?: Lane["key"]): TakenEvent {
  const channel = typeof lane === "string" ? lane : undefined;
  const [data, seq, time] = [JSON.stringify(gap), earliest - 1, Date.now()];
  return { event: "spillway.gap", data, channel, upstreamId: undefined, seq, time, isGap: true };
}
