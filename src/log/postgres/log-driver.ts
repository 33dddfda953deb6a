import { randomUUID } from "node:crypto";
import { SpillwayError } from "../../errors.ts";
import { newEpoch } from "../cursor.ts";
import { loggedEvents, originOf } from "../engine/logged-events.ts";
import {
  type AlikeEvent,
  type Batch,
  type GroupResult,
  type LogDriver,
  LogReplacedError,
  type OpenLog,
  type ScanRange,
  type ScanStep,
  type StoredState,
  type TrimBounds,
  type TrimStep,
} from "../engine/driver.ts";
import type { LogEvent } from "../log.ts";
import type { RunStatement } from "./connections.ts";
import type { SqlRow } from "./driver.ts";
import { isExact, type SnapshotQuery } from "./event-queries.ts";
import { driverFailure, isAbsent } from "./failure.ts";
import { encodeGroup, type GroupAnswer, readOutcomes } from "./group.ts";
import type { Queries } from "./queries.ts";
import { type StreamRow, toRow } from "./streams.ts";
import { decodeOptionalText, decodeText } from "./text.ts";

/** What the driver of a log needs of its store. */
export interface PostgresLogDependencies {
  readonly queries: Queries;
  /** Over the connections for reading, those for writing, and the one that follows. */
  readonly read: RunStatement;
  readonly write: RunStatement;
  readonly follow: RunStatement;
}

/** What one scan looks at, at most: a few milliseconds of work. */
const scanRows = 1_000;
const scanBytes = 4 * 1024 * 1024;

/** What one statement reads of a stream: all of it belongs together. */
interface Snapshot {
  readonly row: StreamRow;
  readonly rows: readonly SqlRow[];
}

/** The driver of one log. A class, since all of it concerns one stream. */
export class PostgresLogDriver implements LogDriver {
  readonly failure: LogDriver["failure"] = driverFailure;
  readonly #id: number;
  readonly #log: OpenLog;
  readonly #dependencies: PostgresLogDependencies;
  /** One for each log: after a reset the numbers begin anew, and the database may remember the ones before. */
  readonly #writer: string = randomUUID();

  constructor(id: number, log: OpenLog, dependencies: PostgresLogDependencies) {
    this.#id = id;
    this.#log = log;
    this.#dependencies = dependencies;
  }

  async append(number: number, group: readonly Batch[]): Promise<GroupResult> {
    return toResult(group, await this.#callAppend(number, group));
  }

  async settle(number: number, group: readonly Batch[]): Promise<GroupResult | undefined> {
    // An empty group under its number: a size of 0 says that the group was not appended, and never will be.
    const answer = await this.#callAppend(number, []);
    return answer.size > 0 ? toResult(group, answer) : undefined;
  }

  async scan({ direction, filter, from, limit, maxBytes, live }: ScanRange): Promise<ScanStep> {
    const { queries, read, follow } = this.#dependencies;
    const exact = direction === "forward" && isExact(filter);
    const rows = exact ? Math.min(limit, scanRows) : scanRows;
    const bytes = exact ? Math.min(maxBytes, scanBytes) : scanBytes;
    const query = queries.selectEvents({ filter, direction, from, rows, bytes });
    const found = await this.#readSnapshot(live ? follow : read, query, "seq");
    const size = found.rows.reduce((sum, row) => sum + Number(row.size), 0);
    const events = found.rows.map(toEvent);
    const end = events.length < rows && size < bytes;
    return { state: found.row, events, seq: events.at(-1)?.seq ?? from, end };
  }

  async latestOfSource(id: string): Promise<number | undefined> {
    const { queries, read } = this.#dependencies;
    const { rows } = await this.#readSnapshot(read, queries.selectLatestOfSource(id), "found");
    return rows[0] && Number(rows[0].found);
  }

  async alike(origin: "source" | "publisher", id: string): Promise<readonly AlikeEvent[]> {
    const { queries, read } = this.#dependencies;
    const { rows } = await this.#readSnapshot(read, queries.selectAlike(origin, id), "seq");
    return rows.map(({ seq, event, channel }) => ({
      seq: Number(seq),
      event: decodeText(event as string),
      channel: decodeOptionalText(channel as string | null),
    }));
  }

  async beforeTime(since: number): Promise<number> {
    const { queries, read } = this.#dependencies;
    const { rows } = await this.#readSnapshot(read, queries.selectByTime(since), "found");
    return Number(rows[0]!.found);
  }

  async trim({ before, events, bytes }: TrimBounds, limit: number): Promise<TrimStep> {
    const { queries, write } = this.#dependencies;
    const bounds = [before ?? null, events ?? null, bytes ?? null];
    const [row] = await orReplaced(write(queries.trim([this.#id, this.#log.epoch, ...bounds, limit])));
    const result = row!.result as SqlRow;
    if (result.epoch !== this.#log.epoch) throw new LogReplacedError();
    return { removed: Number(result.removed), state: toRow(result) };
  }

  async boundKeys(max: number): Promise<void> {
    const { queries, write } = this.#dependencies;
    await write(queries.boundKeys(this.#id, max));
  }

  /** Calls `append_events`, by which the database appends a group unless it knows its number, or a later one, already. */
  async #callAppend(number: number, group: readonly Batch[]): Promise<GroupAnswer> {
    const { queries, write } = this.#dependencies;
    const { epoch, known } = this.#log;
    const place = [this.#id, epoch, known.head, known.lastTime, newEpoch(), this.#writer, number];
    const [row] = await orReplaced(write(queries.append([...place, ...encodeGroup(group)])));
    const answer = row!.result as GroupAnswer;
    if (answer.epoch !== epoch) throw new LogReplacedError();
    return answer;
  }

  /**
   * Reads the stream's row and what a query asks of it, in one snapshot: rows where `column` is not null. It also sees whether the log is
   * still the one that this node knows: a server that came back without its latest events, or with others in their place, is found out by
   * the first read.
   */
  async #readSnapshot(run: RunStatement, query: SnapshotQuery, column: string): Promise<Snapshot> {
    const { epoch, known } = this.#log;
    const rows = await orReplaced(run(this.#dependencies.queries.inSnapshot(this.#id, known.head, query)));
    const [first] = rows;
    const row = first && toRow(first);
    if (!row || row.epoch !== epoch) throw new LogReplacedError();
    const sameEvent = first.mark === null || Number(first.mark) === known.lastTime;
    if (row.head < known.head || !sameEvent) await this.#renewEpoch(run, known);
    // Where the query finds nothing there is one row: that of the stream.
    return { row, rows: rows.filter((each) => each[column] !== null) };
  }

  /** Gives the stream a new epoch, since it has lost events that were known here. */
  async #renewEpoch(run: RunStatement, { head, lastTime }: StoredState): Promise<never> {
    const { epoch, stream } = this.#log;
    const [renewed] = await run(this.#dependencies.queries.renewEpoch(this.#id, epoch, newEpoch(), head, lastTime));
    if (renewed) throw new LogReplacedError();
    throw new SpillwayError("store-unavailable", `the stream ${stream} was read from a server that lags behind`);
  }
}

/** Where the tables are gone, so is the log. */
async function orReplaced<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isAbsent(error) ? new LogReplacedError() : error;
  }
}

function toResult(group: readonly Batch[], answer: GroupAnswer): GroupResult {
  const outcomes = readOutcomes(group, answer);
  const { times } = answer;
  return { outcomes, state: toRow(answer), events: times && loggedEvents(group, outcomes, (place) => times[place]!) };
}

/** An event out of its row. */
function toEvent(row: SqlRow): LogEvent {
  const { upstreamId, published } = originOf(
    decodeOptionalText(row.upstream_id as string | null),
    decodeOptionalText(row.publisher_id as string | null),
  );
  return {
    seq: Number(row.seq),
    time: Number(row.time),
    event: decodeText(row.event as string),
    data: decodeText(row.data as string),
    channel: decodeOptionalText(row.channel as string | null),
    upstreamId,
    published,
  };
}
