import { randomBytes } from "node:crypto";
import {
  type AlikeEvent,
  type Batch,
  type DriverFailure,
  type GroupResult,
  type LogDriver,
  LogReplacedError,
  type OpenLog,
  type ScanRange,
  type ScanStep,
  type TrimBounds,
  type TrimStep,
} from "../engine/driver.ts";
import { maxAlike } from "../log.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { Draft } from "./draft.ts";
import { type Known, renewIfLost } from "./epoch.ts";
import { driverFailure, isMissingTable } from "./failure.ts";
import { beforeTime, selectById } from "./positions.ts";
import { scanEvents } from "./scan.ts";
import type { Escape } from "./statements.ts";
import type { Tables } from "./tables.ts";
import { isCommitted, prepareTransaction, type TransactionContext } from "./transaction.ts";
import { boundKeys, trimEvents } from "./trimming.ts";

/** What the driver of a log needs of its store. */
export interface MysqlLogDependencies {
  readonly tables: Tables;
  readonly escape: Escape;
  /** The database, for messages. */
  readonly place: string;
  readonly node: string;
  readonly readers: Connections;
  readonly writers: Connections;
  /** For following and coordination, which do not wait for other tasks. */
  readonly control: Connections;
  /** Called after events were appended. */
  onAppended(): void;
}

/** The driver of one log. A class, since all of it concerns one stream. */
export class MysqlLogDriver implements LogDriver {
  readonly #id: number;
  readonly #log: OpenLog;
  readonly #dependencies: MysqlLogDependencies;
  readonly #context: TransactionContext;
  /** What the latest transaction wrote that may have been committed. */
  #sent: Draft | undefined;

  constructor(id: number, log: OpenLog, dependencies: MysqlLogDependencies) {
    const { tables, escape, node } = dependencies;
    this.#id = id;
    this.#log = log;
    this.#dependencies = dependencies;
    this.#context = { tables, escape, node, writer: randomBytes(16) };
  }

  async append(number: number, group: readonly Batch[]): Promise<GroupResult> {
    const draft = await this.#use(this.#dependencies.writers, async (connection) => {
      const prepared = await prepareTransaction(connection, this.#context, this.#known, number, group);
      this.#sent = prepared.draft;
      await prepared.end();
      return prepared.draft;
    });
    return this.#appended(draft);
  }

  async settle(number: number): Promise<GroupResult | undefined> {
    const committed = await this.#use(this.#dependencies.writers, (connection) =>
      isCommitted(connection, this.#context, this.#id, number),
    );
    return committed ? this.#appended(this.#sent!) : undefined;
  }

  async scan(range: ScanRange): Promise<ScanStep> {
    const { readers, control, tables } = this.#dependencies;
    // What is known before the question must be in the answer.
    const known = this.#known;
    return this.#use(range.live ? control : readers, async (connection) => {
      const { row, ...step } = await scanEvents(connection, tables, this.#id, range);
      if (row?.epoch !== known.epoch) throw new LogReplacedError();
      if (row.revision < known.revision && (await renewIfLost(connection, tables, known))) throw new LogReplacedError();
      return { state: row, ...step };
    });
  }

  async latestOfSource(id: string): Promise<number | undefined> {
    const [latest] = await this.#selectById("source", id, "DESC", 1);
    return latest?.seq;
  }

  alike(origin: "source" | "publisher", id: string): Promise<readonly AlikeEvent[]> {
    return this.#selectById(origin, id, "ASC", maxAlike);
  }

  beforeTime(since: number): Promise<number> {
    const { readers, tables } = this.#dependencies;
    return this.#use(readers, (connection) => beforeTime(connection, tables, this.#id, since));
  }

  trim(bounds: TrimBounds, limit: number): Promise<TrimStep> {
    const { writers, tables } = this.#dependencies;
    return this.#use(writers, (connection) => trimEvents(connection, tables, this.#known, bounds, limit));
  }

  boundKeys(max: number): Promise<void> {
    const { writers, tables } = this.#dependencies;
    return this.#use(writers, (connection) => boundKeys(connection, tables, this.#id, max));
  }

  failure(error: unknown): DriverFailure {
    return driverFailure(error, this.#dependencies.place);
  }

  get #known(): Known {
    return { ...this.#log.known, id: this.#id };
  }

  /** Runs a task on a connection. Where the tables are gone, so is the log. */
  async #use<T>({ lend }: Connections, task: (connection: Connection) => Promise<T>): Promise<T> {
    try {
      return await lend(task);
    } catch (error) {
      throw isMissingTable(error) ? new LogReplacedError() : error;
    }
  }

  #appended(draft: Draft): GroupResult {
    if (draft.writes) this.#dependencies.onAppended();
    return draft;
  }

  #selectById(
    origin: "source" | "publisher",
    id: string,
    order: "ASC" | "DESC",
    limit: number,
  ): Promise<readonly AlikeEvent[]> {
    const { readers, tables } = this.#dependencies;
    return this.#use(readers, (connection) => selectById(connection, tables, this.#id, { origin, id, order, limit }));
  }
}
