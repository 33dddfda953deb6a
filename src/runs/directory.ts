import { randomUUID } from "node:crypto";
import { LogFollower } from "../hub/log-follower.ts";
import type { LogEvent } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import { createTally } from "../util/tally.ts";
import { dialects } from "./dialect.ts";
import { HeldBytes } from "./held-bytes.ts";
import type { RunJournal } from "./journal.ts";
import { toEnd, toRecord, toRun, type Run, type RunEnd } from "./record.ts";
import { toRunEnd } from "./writer.ts";

/** What is known of a run that has not ended, in whichever process it runs. */
export type RunningRun = Pick<Run, "seq" | "token"> & Pick<Run["start"], "route" | "owner" | "node" | "dialect">;

export interface DirectoryOptions {
  readonly journal: RunJournal;
  /** Whether other processes run runs of the same log. Then each says regularly that it is alive. */
  readonly isShared: boolean;
  /** How long after its last sign of life a process counts as dead, in ms. */
  readonly lease: number;
  /** How long a run may take at most, in ms: no older record is looked at. */
  readonly longest: number;
  /** How long ended runs are kept at most, in ms. */
  kept(): number;
  readonly logger: Logger;
  /** A run of this process is to be stopped. */
  onStop(token: string): void;
  /** A run has ended, in whichever process. */
  onEnd(token: string, end: RunEnd): void;
  /** Another process has clients of a run of this process, or no longer has. */
  onWatch(token: string, node: string, isWatching: boolean): void;
  /** The processes for which {@link onWatch} was called. */
  watchers(): Iterable<string>;
  /** Whether this process has clients of runs of others, which then watch over it. */
  isWatching(): boolean;
  /** Another process has ended. */
  onNodeEnd(node: string): void;
}

/** Records read at once at the start. */
const pageSize = 500;

/** Signs of life in the time of a lease. */
const beats = 3;

/** The runs of all processes that have not ended. Follows the log, and ends the runs of processes that are gone. */
export class RunDirectory {
  /** The name of this process. */
  readonly node: string = randomUUID();
  readonly #options: DirectoryOptions;
  readonly #running = new Map<string, RunningRun>();
  readonly #byOwner = createTally();
  readonly #held: HeldBytes;
  /** When each process was last heard of, in ms of `performance.now()`. */
  readonly #heard = new Map<string, number>();
  /** Processes that were silent for too long at the last look. After an outage of the store, all are. */
  #suspects = new Set<string>();
  #follower: LogFollower | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.#held = new HeldBytes(options.kept);
  }

  /**
   * Learns which runs have not ended, and follows the log from then on. Without other processes, those runs are over.
   * @throws {SpillwayError} a `store-…` code.
   */
  async start(): Promise<void> {
    const { journal, logger, isShared, lease } = this.#options;
    const follower = new LogFollower(journal.log, (event) => this.#take(event), logger);
    const { head } = journal.log.state();
    await this.#load(head);
    follower.head = head;
    await follower.start();
    this.#follower = follower;
    if (!isShared) return this.#endAll([...this.#running.values()]);
    this.#timer = setInterval(() => void this.#beat(), lease / beats).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#follower?.stop();
  }

  /** The number of runs that a subject has. */
  countOf(owner: string): number {
    return this.#byOwner.of(owner);
  }

  /** About how many bytes a subject's ended runs hold. */
  heldBy(owner: string): number {
    return this.#held.of(owner);
  }

  get(token: string): RunningRun | undefined {
    return this.#running.get(token);
  }

  /** Whether a run has not ended, as far as is known here: it may have been started just now by another process. */
  isRunning({ token, seq }: Pick<Run, "token" | "seq">): boolean {
    return this.#running.has(token) || seq > (this.#follower?.head ?? 0);
  }

  async #load(head: number): Promise<void> {
    const { log } = this.#options.journal;
    let after = (await log.find({ since: Date.now() - this.#options.longest })) ?? 0;
    const filter = { events: ["start", "end"] };
    while (after < head) {
      const { events, scanned } = await log.read(after, { filter, limit: pageSize });
      for (const event of events) if (event.seq <= head) this.#take(event);
      if (scanned <= after) return;
      after = scanned;
    }
  }

  #take(event: LogEvent): void {
    const { channel = "", data } = event;
    switch (event.event) {
      case "start":
        return this.#add(toRun(event)!);
      case "end":
        return this.#remove(channel, toEnd(event)!);
      case "beat":
        return void this.#heard.set(data, performance.now());
      case "stop":
        return this.#options.onStop(channel);
      case "watch": {
        const { node, watching } = JSON.parse(data) as WatchRecord;
        this.#heard.set(node, performance.now());
        return this.#options.onWatch(channel, node, watching);
      }
      default:
    }
  }

  #add({ seq, token, start: { route, owner, node, dialect } }: Run): void {
    this.#running.set(token, { seq, token, route, owner, node, dialect });
    this.#byOwner.add(owner);
    if (node !== this.node) this.#heard.set(node, performance.now());
  }

  #remove(token: string, end: RunEnd): void {
    const run = this.#running.get(token);
    if (!run) return;
    this.#running.delete(token);
    this.#byOwner.remove(run.owner);
    this.#held.add(run.owner, end.bytes);
    this.#options.onEnd(token, end);
  }

  /** Says that this process is alive while others depend on it, and ends the runs of processes that are not. */
  async #beat(): Promise<void> {
    const { journal, lease, logger } = this.#options;
    const nodes = new Set(Array.from(this.#running.values(), ({ node }) => node));
    const isNeeded = nodes.has(this.node) || this.#options.isWatching();
    for (const node of this.#options.watchers()) nodes.add(node);
    for (const node of this.#heard.keys()) if (!nodes.has(node)) this.#heard.delete(node);
    const since = performance.now() - lease;
    const silent = [...nodes].filter((node) => node !== this.node && (this.#heard.get(node) ?? Infinity) < since);
    const before = this.#suspects;
    this.#suspects = new Set();
    try {
      if (silent.length > 0 || isNeeded) await journal.append([toRecord("beat", undefined, this.node)]);
      for (const node of silent) {
        if (before.has(node)) await this.#endNode(node);
        else this.#suspects.add(node);
      }
    } catch (err) {
      logger.warn({ err }, "the runs of other processes cannot be watched over");
    }
  }

  async #endNode(node: string): Promise<void> {
    this.#options.onNodeEnd(node);
    await this.#endAll([...this.#running.values()].filter((run) => run.node === node));
  }

  async #endAll(runs: readonly RunningRun[]): Promise<void> {
    const { journal, logger } = this.#options;
    const message = "the process that received the response has ended";
    const ending = { state: "truncated", reason: "process-ended", message } as const;
    for (const run of runs) {
      logger.warn({ route: run.route, node: run.node }, "a run was cut short: its process has ended");
      await journal.end(run, toRunEnd(ending, dialects[run.dialect], { events: 0, bytes: 0 }));
    }
  }
}

/** The data of a record `watch`. */
export interface WatchRecord {
  readonly node: string;
  readonly watching: boolean;
}
