import { SpillwayError } from "../errors.ts";
import type { RunsStatus } from "../http/gateway-status.ts";
import type { Mutable } from "../util/mutable.ts";
import { createTally } from "../util/tally.ts";
import type { Logger } from "../util/logger.ts";
import { startTimeout } from "../util/timeout.ts";
import { dialects } from "./dialect.ts";
import { RunDirectory, type DirectoryOptions, type RunningRun } from "./directory.ts";
import type { RunJournal } from "./journal.ts";
import { toRecord, type Run, type RunEnd, type StoredEnd } from "./record.ts";
import { RunWriter, toRunEnd, type Ending } from "./writer.ts";
import { RunAttendance } from "./attendance.ts";

export interface RunsOptions extends Pick<DirectoryOptions, "isShared" | "lease" | "longest" | "kept" | "logger"> {
  readonly journal: RunJournal;
  /** How much all runs may hold, in bytes. */
  most(): number;
}

/** How a run is stored and ended. */
export interface RunRules {
  readonly maxBytes: number;
  /** See {@link RunOptions.cancelAfter}. */
  readonly cancelAfter: number | undefined;
  readonly total: number;
}

/** What happened to the runs of a route in this process. */
export type RunCounts = Mutable<RunsStatus>;

/** How long a node waits for another one to stop a run, in ms. */
const stopTimeout = 5_000;

/** A run of this process. */
interface LocalRun {
  readonly run: Run;
  readonly writer: RunWriter;
  readonly attendance: RunAttendance;
  readonly timer: NodeJS.Timeout;
  readonly ended: Promise<void>;
  onEnd(end: RunEnd | undefined): void;
}

/** The runs of a process: those that it runs itself, and what it knows of those of others. */
export class Runs {
  readonly journal: RunJournal;
  readonly #options: RunsOptions;
  readonly #directory: RunDirectory;
  readonly #local = new Map<string, LocalRun>();
  /** Runs that are about to be started, by their owners. */
  readonly #reserved = createTally();
  readonly #counts = new Map<string, RunCounts>();
  /** The clients in this process of runs of other processes that are stopped when nobody watches them. */
  readonly #remote = createTally();
  /** The last task of each key, see {@link Runs.inTurn}. */
  readonly #turns = new Map<string, Promise<void>>();
  #isClosing = false;

  constructor(options: RunsOptions) {
    this.#options = options;
    this.journal = options.journal;
    this.#directory = new RunDirectory({
      ...options,
      onStop: (token) => this.#local.get(token)?.writer.stop(cancelled),
      onEnd: (token, end) => this.#forget(token, end),
      onWatch: (token, node, isWatching) => {
        if (node !== this.#directory.node) this.#local.get(token)?.attendance.change(node, isWatching);
      },
      watchers: () => this.#watchers(),
      isWatching: () => this.#remote.size > 0,
      onNodeEnd: (node) => {
        for (const { attendance } of this.#local.values()) attendance.change(node, false);
      },
    });
  }

  get node(): string {
    return this.#directory.node;
  }

  get logger(): Logger {
    return this.#options.logger;
  }

  /** @throws {SpillwayError} a `store-…` code. */
  start(): Promise<void> {
    return this.#directory.start();
  }

  /**
   * Keeps a place for a run that is about to be claimed; returns the function that gives it back.
   * @throws {SpillwayError} `too-many-runs`, `shutting-down`.
   */
  reserve(owner: string, most: number | undefined): () => void {
    if (this.#isClosing) throw new SpillwayError("shutting-down");
    if (most !== undefined && this.#directory.countOf(owner) + this.#reserved.of(owner) >= most)
      throw new SpillwayError("too-many-runs", undefined, { expected: `at most ${most} at a time`, retryAfter: 5 });
    if (this.#directory.heldBy(owner) > this.#options.most() / 2)
      throw new SpillwayError("too-many-runs", "half of what all runs may hold is yours (limits.runs)", {
        retryAfter: 60,
      });
    this.#reserved.add(owner);
    return () => this.#reserved.remove(owner);
  }

  /** Runs a task after all earlier ones of the same key in this process. */
  async inTurn<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(key);
    const result = before ? before.then(task) : task();
    const done = result.then(ignore, ignore);
    this.#turns.set(key, done);
    try {
      return await result;
    } finally {
      if (this.#turns.get(key) === done) this.#turns.delete(key);
    }
  }

  /** Begins to store a run that this process has claimed. Its source then writes to the writer. */
  begin(run: Run, { maxBytes, cancelAfter, total }: RunRules): RunWriter {
    const { journal, logger } = this.#options;
    let settle = (): void => {};
    const ended = new Promise<void>((resolve) => (settle = resolve));
    const writer = new RunWriter({ run, journal, maxBytes, logger, onEnd: (end) => local.onEnd(end) });
    const late = { state: "truncated", reason: "timeout", message: "the run took too long" } as const;
    const local: LocalRun = {
      run,
      writer,
      ended,
      attendance: new RunAttendance(cancelAfter, () => writer.stop({ ...cancelled, reason: "abandoned" })),
      timer: setTimeout(() => writer.stop(late), total).unref(),
      onEnd: (end) => {
        if (!this.#local.delete(run.token)) return;
        clearTimeout(local.timer);
        local.attendance.stop();
        const counts = this.countsOf(run.start.route);
        counts.running--;
        counts[end?.state ?? "truncated"]++;
        if (end) this.#report(run, end);
        settle();
      },
    };
    this.#local.set(run.token, local);
    const counts = this.countsOf(run.start.route);
    counts.started++;
    counts.running++;
    return writer;
  }

  /** Ends a run of this process that has no event stream. Its key is free again. */
  async discard(run: Run, ending: Ending): Promise<void> {
    const end = { ...toRunEnd(ending, dialects[run.start.dialect], { events: 0, bytes: 0 }), freed: true };
    await this.journal.endSurely(run, end);
    this.#local.get(run.token)?.onEnd(end);
  }

  /** Counts a client of a run; returns the function that stops counting it. */
  attend(run: Run): () => void {
    const { token, start } = run;
    const local = this.#local.get(token);
    if (local) return local.attendance.attend();
    if (!start.cancels || !this.#directory.isRunning(run)) return () => {};
    if (this.#remote.of(token) === 0) this.#tell(token, true);
    this.#remote.add(token);
    return () => {
      this.#remote.remove(token);
      if (this.#remote.of(token) === 0 && this.#directory.isRunning(run)) this.#tell(token, false);
    };
  }

  /** Stops a run, in whichever process; resolves to its end, or to `undefined` if that is not known in time. */
  async stop(run: Run): Promise<StoredEnd | undefined> {
    const local = this.#local.get(run.token);
    if (local) {
      local.writer.stop(cancelled);
      await local.ended;
    } else {
      // It may be one that the directory does not know of yet.
      const known = this.#directory.get(run.token) ? undefined : await this.journal.endOf(run);
      if (known) return known;
      if (run.start.node === this.node) await this.discard(run, cancelled);
      const before = this.journal.hub.head;
      await this.journal.append([toRecord("stop", run.token, "")]);
      await this.#endOfRemote(run, before);
    }
    return this.journal.endOf(run);
  }

  /** What is known of a run that has not ended; `undefined` if it has. */
  running(token: string): RunningRun | undefined {
    return this.#directory.get(token);
  }

  /** What a run of this process has stored so far; `undefined` for other runs. */
  progressOf(token: string): Pick<RunEnd, "events" | "bytes"> | undefined {
    return this.#local.get(token)?.writer.counts;
  }

  hasCounts(route: string): boolean {
    return this.#counts.has(route);
  }

  /** The counts of a route. */
  countsOf(route: string): RunCounts {
    let counts = this.#counts.get(route);
    const none = { running: 0, started: 0, joined: 0, completed: 0, failed: 0, cancelled: 0, truncated: 0 };
    if (!counts) this.#counts.set(route, (counts = none));
    return counts;
  }

  /** Starts no more runs, and waits for those of this process; those that have not ended after `grace` ms are cut short. */
  async close(grace: number): Promise<void> {
    this.#isClosing = true;
    const all = Promise.all(Array.from(this.#local.values(), ({ ended }) => ended));
    const timer = setTimeout(() => {
      const ending = { state: "truncated", reason: "shutting-down", message: "the gateway is shutting down" } as const;
      for (const { writer } of this.#local.values()) writer.stop(ending);
    }, grace);
    await all;
    clearTimeout(timer);
    this.#directory.stop();
    this.journal.close();
  }

  /** Ends everything at once, because the store has lost the log. */
  lose(): void {
    this.#isClosing = true;
    this.#directory.stop();
    this.journal.close();
    for (const { run } of this.#local.values()) this.#forget(run.token, undefined);
  }

  *#watchers(): Generator<string> {
    for (const { attendance } of this.#local.values()) yield* attendance.others;
  }

  #forget(token: string, end: RunEnd | undefined): void {
    const local = this.#local.get(token);
    local?.writer.abandon();
    local?.onEnd(end);
  }

  #tell(token: string, watching: boolean): void {
    const record = toRecord("watch", token, { node: this.node, watching });
    this.journal
      .append([record])
      .catch((err: unknown) => this.logger.warn({ err }, "another process cannot be told of a run's clients"));
  }

  /** Waits for the end of a run that is stored after a position, and for a limited time. */
  async #endOfRemote(run: Run, position: number): Promise<void> {
    const timeout = startTimeout(stopTimeout, this.journal.closing);
    const { signal } = timeout;
    const filter = { channels: [run.token], events: ["end"] };
    let looked = position;
    while (!signal.aborted && this.#directory.isRunning(run)) {
      await this.journal.hub.waitBeyond(looked, signal, filter);
      looked = this.journal.hub.head;
      if (await this.journal.endOf(run)) break;
    }
    timeout.clear();
  }

  #report({ start: { route, key }, startedAt }: Run, { state, reason, events, bytes }: RunEnd): void {
    const duration = Date.now() - startedAt;
    this.logger.info({ route, state, reason, keyed: key !== undefined, duration, events, bytes }, "run ended");
  }
}

function ignore(): void {}

const cancelled: Ending = { state: "cancelled" };
