import type { ScanRange, ScanStep, StoredState } from "../engine/driver.ts";
import { eventBytes } from "../event-bytes.ts";
import { matches } from "../filter.ts";
import type { LogEvent } from "../log.ts";
import type { Batch, Batches } from "./batches.ts";
import { type Head, stateOf } from "./head.ts";
import type { Search } from "./search.ts";

/** What reading needs from a log. */
export interface Reading {
  readonly head: Head;
  readonly batches: Batches;
  readonly search: Search;
  /** Resolves once this node knows everything that was in the log at the time of the call. */
  catchUp(): Promise<void>;
}

/** Maximum number of events that a step examines; it may exceed this to finish a message. */
const stepEvents = 1_024;

/** A step forward in progress. */
interface OpenStep {
  readonly events: LogEvent[];
  readonly from: number;
  /** The log's state when the step last read it. */
  state: StoredState;
  scanned: number;
  earliest: number;
  /** Number of matching events, and their bytes. */
  found: number;
  bytes: number;
  /** Whether the step has reached a limit, or ends before a gap with which the next step begins. */
  complete: boolean;
}

/** Reads one step of the events of a log. */
export function scan(reading: Reading, range: ScanRange): Promise<ScanStep> {
  return range.direction === "forward" ? scanForward(reading, range) : scanBackward(reading, range);
}

async function scanForward(reading: Reading, range: ScanRange): Promise<ScanStep> {
  const state = stateOf(reading.head);
  const { earliest } = state;
  const from = Math.max(range.from, earliest - 1);
  const step: OpenStep = { events: [], from, state, scanned: from, earliest, found: 0, bytes: 0, complete: false };
  await fill(reading, step, range);
  if (!step.complete && !range.live) {
    // The step reaches the last event that this node knows, but other nodes may have appended more.
    await reading.catchUp();
    await fill(reading, step, range);
  }
  const { events, scanned, complete } = step;
  return { state: { ...step.state, earliest: step.earliest }, events, seq: scanned, end: !complete };
}

async function fill({ head, batches, search }: Reading, step: OpenStep, range: ScanRange): Promise<void> {
  step.state = stateOf(head);
  const target = step.state.head;
  if (step.complete || step.scanned >= target) return;
  for await (const batch of batches.forward(await search.place(step.scanned + 1))) {
    if (batch.record.head <= step.scanned) continue;
    skipHole(step, batch.events[0]!.seq, head.standing.earliest);
    if (!step.complete) take(step, batch, range, search);
    if (step.complete) return;
    if (step.scanned >= target) return;
  }
  // Retention has meanwhile removed the rest.
  if (step.scanned < target) skipHole(step, target + 1, head.standing.earliest);
}

/** Moves the start of the step after removed events, or ends the step before them. */
function skipHole(step: OpenStep, next: number, earliest: number): void {
  if (next <= step.scanned + 1) return;
  if (step.scanned > step.from) {
    step.complete = true;
    return;
  }
  step.earliest = Math.max(next, earliest);
  step.scanned = step.earliest - 1;
}

function take(step: OpenStep, { seq, record, events }: Batch, range: ScanRange, search: Search): void {
  const { filter, limit, maxBytes } = range;
  for (let index = Math.max(0, events.length - (record.head - step.scanned)); index < events.length; index++) {
    const event = events[index]!;
    step.scanned = event.seq;
    step.events.push(event);
    if (!matches(filter, event)) continue;
    step.found++;
    step.bytes += eventBytes(event);
    if (step.found < limit && step.bytes < maxBytes) continue;
    step.complete = true;
    search.remember(event.seq + 1, index + 1 < events.length ? seq : seq + 1);
    return;
  }
  if (step.events.length < stepEvents) return;
  step.complete = true;
  search.remember(record.head + 1, seq + 1);
}

async function scanBackward({ head, batches, search, catchUp }: Reading, range: ScanRange): Promise<ScanStep> {
  const { filter, from, limit } = range;
  if (from > head.standing.head) await catchUp();
  const state = stateOf(head);
  const { floor } = head.standing;
  const start = from > state.head ? head.seq : await search.place(from);
  const events: LogEvent[] = [];
  const step = (end: boolean): ScanStep => ({ state, events, seq: events.at(-1)?.seq ?? from, end });
  let found = 0;
  for await (const batch of batches.backward(floor, start)) {
    for (const event of batch.events.toReversed()) {
      if (event.seq < state.earliest) return step(true);
      if (event.seq >= from || event.seq > state.head) continue;
      events.push(event);
      if (matches(filter, event) && ++found >= limit) return step(false);
    }
    if (events.length < stepEvents) continue;
    search.remember(batch.events[0]!.seq, batch.seq);
    return step(false);
  }
  return step(true);
}
