import { setImmediate as nextTurn } from "node:timers/promises";
import { SpillwayError } from "../../errors.ts";
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
import { toLogEvent, originOf, publisherIdOf, sourceIdOf } from "../engine/logged-events.ts";
import { eventOverhead } from "../event-bytes.ts";
import { matches } from "../filter.ts";
import type { LogEvent } from "../log.ts";
import type { SqlRow } from "./driver.ts";
import { failureError, storeError } from "./failure.ts";
import type { AppendOutcome, AppendRequest, AppendResult, StreamRow } from "./messages.ts";
import {
  selectAlikeOfPublishers,
  selectAlikeOfSource,
  selectEvents,
  selectLatestOfSource,
  selectRow,
  selectTime,
} from "./queries.ts";
import type { Snapshots } from "./snapshots.ts";
import type { Statements } from "./statements.ts";
import { toRow } from "./streams.ts";
import { decodeOptionalText, decodeText, encodeText } from "./text.ts";
import type { WriterClient } from "./writer-client.ts";
import { WriterError } from "./writer-thread.ts";

/** Maximum number of rows and bytes that one scan reads: a few milliseconds of work. */
const scanRows = 1_000;
const scanBytes = 4 * 1024 * 1024;

/**
 * The read-only part of a log's driver, which processes without the writer also use. Errors are those of {@link
 * Snapshots}.
 */
export class SqliteLogReader implements Pick<LogDriver, "scan" | "latestOfSource" | "alike" | "beforeTime"> {
  readonly #snapshots: Snapshots;
  readonly #id: number;

  constructor(snapshots: Snapshots, id: number) {
    this.#snapshots = snapshots;
    this.#id = id;
  }

  async scan(range: ScanRange): Promise<ScanStep> {
    const { matching, ...step } = this.#snapshots.read((statement) => scan(statement, this.#id, range));
    // A search yields to the event loop between two steps.
    if (matching === 0 || range.direction === "backward") await nextTurn();
    return step;
  }

  async latestOfSource(id: string): Promise<number | undefined> {
    const row = this.#snapshots.read((statement) => statement(selectLatestOfSource).get(this.#id, encodeText(id)));
    return row && Number(row.seq);
  }

  async alike(origin: "source" | "publisher", id: string): Promise<readonly AlikeEvent[]> {
    const sql = origin === "source" ? selectAlikeOfSource : selectAlikeOfPublishers;
    const rows = this.#snapshots.read((statement) => statement(sql).all(this.#id, encodeText(id)));
    return rows.map(({ seq, event, channel }) => {
      return { seq: Number(seq), event: decodeText(event), channel: decodeOptionalText(channel) };
    });
  }

  async beforeTime(since: number): Promise<number> {
    return this.#snapshots.read((statement) => beforeTime(statement, this.#id, since));
  }
}

/** What the driver of a log needs of its store. */
export interface SqliteLogDependencies {
  readonly log: OpenLog;
  /** The id of the stream. */
  readonly id: number;
  readonly writer: WriterClient;
  readonly snapshots: Snapshots;
  readonly path: string;
  /** Called when the log is closed. */
  onClosed(): void;
}

/** The driver of one log. Its writer is a thread, which also splits a group if one of its batches fails. */
export class SqliteLogDriver extends SqliteLogReader implements LogDriver {
  readonly #writer: WriterClient;
  readonly #id: number;
  readonly #log: OpenLog;
  readonly #path: string;
  readonly close: () => Promise<void>;
  /** The head before the last group that was sent. */
  #headBefore = 0;

  constructor({ log, id, writer, snapshots, path, onClosed }: SqliteLogDependencies) {
    super(snapshots, id);
    this.close = async () => onClosed();
    this.#log = log;
    this.#id = id;
    this.#writer = writer;
    this.#path = path;
  }

  async append(_: number, group: readonly Batch[]): Promise<GroupResult> {
    this.#headBefore = this.#log.known.head;
    const outcomes = await this.#writer.append(group.map((batch) => toRequest(this.#id, batch)));
    let state = this.#log.known;
    const events: LogEvent[] = [];
    for (const [index, outcome] of outcomes.entries()) {
      if ("code" in outcome || outcome.replayed) continue;
      const batch = group[index]!;
      state = behind(state, batch, outcome);
      for (const [place, event] of batch.events.entries())
        events.push(toLogEvent(event, outcome.first + place, outcome.time));
    }
    return { outcomes: outcomes.map((outcome) => this.#toOutcome(outcome)), state, events };
  }

  async settle(_: number, group: readonly Batch[]): Promise<GroupResult | undefined> {
    const requests = group.map((batch) => toRequest(this.#id, batch));
    const outcomes = await this.#writer.settle(requests, this.#headBefore);
    return outcomes.length > 0 ? { outcomes } : undefined;
  }

  async trim(bounds: TrimBounds, limit: number): Promise<TrimStep> {
    const { removed, row } = await this.#writer.trim(this.#id, bounds, limit);
    return { removed, state: { ...row, revision: this.#log.known.revision + 1 } };
  }

  boundKeys(max: number): Promise<void> {
    return this.#writer.boundKeys(this.#id, max);
  }

  failure(error: unknown): DriverFailure {
    const unanswered = error instanceof WriterError && error.unanswered;
    return { error: toStoreError(error, this.#path), unknown: unanswered, retry: unanswered };
  }

  #toOutcome(outcome: AppendOutcome): BatchOutcome {
    if ("code" in outcome) return failureError(outcome, this.#path);
    return { first: outcome.first, last: outcome.last, replayed: outcome.replayed };
  }
}

/** Maps an error of the writer or of the reading connection to the error for the caller of the store. */
export function toStoreError(error: unknown, path: string): SpillwayError {
  return error instanceof WriterError ? failureError(error.failure, path) : storeError(error, path);
}

function toRequest(stream: number, { events, options, clock }: Batch): AppendRequest {
  return {
    stream,
    now: clock,
    events: events.flatMap((event) => [
      event.event,
      event.data,
      event.channel,
      sourceIdOf(event),
      publisherIdOf(event),
    ]),
    upstreamCursor: options.upstreamCursor,
    idempotency: options.idempotency,
  };
}

/** The state after a batch was appended. */
function behind(before: StoredState, { events, options }: Batch, { last, time, bytes }: AppendResult): StoredState {
  const upstreamCursor =
    options.upstreamCursor === undefined ? before.upstreamCursor : options.upstreamCursor || undefined;
  const lastTime = events.length === 0 ? before.lastTime : time;
  return { ...before, head: last, lastTime, bytes, upstreamCursor, revision: before.revision + 1 };
}

function readRow(statement: Statements, id: number): StreamRow {
  return toRow(statement(selectRow).get(id)!);
}

/** Reads one step, and counts the matching events in it. */
function scan(statement: Statements, id: number, range: ScanRange): ScanStep & { readonly matching: number } {
  const { direction, filter, from, limit, maxBytes } = range;
  const row = readRow(statement, id);
  const { sql, values } = selectEvents(range);
  const events: LogEvent[] = [];
  let [matching, collected, looked] = [0, 0, 0];
  let end = true;
  for (const found of statement(sql).iterate(id, from, ...values)) {
    const event = toEvent(found);
    const size = Number(found.bytes) + eventOverhead;
    events.push(event);
    looked += size;
    if (matches(filter, event)) {
      matching++;
      collected += size;
    }
    if (matching < limit && collected < maxBytes && events.length < scanRows && looked < scanBytes) continue;
    end = false;
    break;
  }
  const seq = events.at(-1)?.seq ?? from;
  if (!filter && direction === "forward") assertWhole(events, Math.max(from + 1, row.earliest), end ? row.head : seq);
  return { state: { ...row, revision: 0 }, events, seq, end, matching };
}

/** Checks that no number is missing, because a damaged index may leave out events without an error. */
function assertWhole(events: readonly LogEvent[], first: number, last: number): void {
  const hole = events.findIndex(({ seq }, index) => seq !== first + index);
  const missing = first + (hole === -1 ? events.length : hole);
  if (missing <= last) throw new SpillwayError("store-corrupt", `the event ${missing} is missing from the log`);
}

/** Times never decrease, so the first event at or after a time is found by binary search. */
function beforeTime(statement: Statements, id: number, since: number): number {
  const { head, earliest } = readRow(statement, id);
  let low = earliest;
  let high = head + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const time = Number(statement(selectTime).get(id, middle)!.time);
    if (time < since) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function toEvent(row: SqlRow): LogEvent {
  const { upstreamId, published } = originOf(decodeOptionalText(row.upstream_id), decodeOptionalText(row.publisher_id));
  return {
    seq: Number(row.seq),
    time: Number(row.time),
    event: decodeText(row.event),
    data: decodeText(row.data),
    channel: decodeOptionalText(row.channel),
    upstreamId,
    published,
  };
}
