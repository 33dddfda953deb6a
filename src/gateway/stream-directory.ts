import { setTimeout as wait } from "node:timers/promises";
import { SpillwayError } from "../errors.ts";
import type { OnDemandStream } from "../http/gateway-status.ts";
import { createRateLimit, type Caller } from "../limits/admission.ts";
import { formatCursor } from "../log/cursor.ts";
import type { Log, LogHead, LogRemoval, LogState, LogStore } from "../log/log.ts";
import { monotonicMs } from "../util/durations.ts";
import type { GatewayOptions, PatternOptions } from "./options.ts";
import { patternOf, prefixOf } from "./stream-patterns.ts";

/** What a directory needs of the process whose streams it knows. */
export interface StreamDirectoryHost {
  readonly store: LogStore;
  /** Whether a stream is open here, or is being opened. */
  isOpen(name: string): boolean;
  /** Closes a stream that is open here, if it has no events and nobody holds it. */
  closeEmpty(name: string): Promise<void> | undefined;
  /** Of these streams, those that other nodes use; `undefined` if a node does not answer. */
  usedElsewhere(names: readonly string[]): Promise<readonly string[] | undefined>;
}

/** A stream that was made on demand. There may be many. */
export interface KnownStream {
  readonly name: string;
  pattern: string;
  /** When it was last seen in use, and last closed or trimmed, by {@link monotonicMs}. */
  usedAt: number;
  trimmedAt: number;
  /** What was known of its log at that time; `undefined` if this process has not opened it. */
  epoch: string | undefined;
  state: LogState | undefined;
}

/** How many streams are removed together at most: a new use of one of them has to wait for all. */
const removedTogether = 100;

/** After how long a client may ask again where a pattern has as many streams as it may, in ms. */
const longestRetry = 60_000;

/** How long a node does not open a stream that it has declared unused, in ms. Another node has half of it to begin the removal. */
const removalTime = 5_000;

/** The names of the streams that were made on demand: makes them within the limits, and removes those that are idle. */
export class StreamDirectory {
  readonly #host: StreamDirectoryHost;
  readonly #known = new Map<string, KnownStream>();
  readonly #counts = new Map<string, number>();
  /** The removals and trims under way here, and the removals by other nodes. */
  readonly #busy = new Map<string, Promise<void>>();
  #options: Pick<GatewayOptions, "streams" | "patterns">;
  #limits: ReadonlyMap<string, (caller: Caller) => void>;

  /** The directory is empty until the first survey. */
  constructor(options: Pick<GatewayOptions, "streams" | "patterns">, host: StreamDirectoryHost) {
    this.#host = host;
    this.#options = options;
    this.#limits = limitsOf(options);
  }

  /** The pattern that applies to a name; `undefined` if none does, or if a stream is configured with this name. */
  patternOf(name: string): string | undefined {
    return patternOf(name, this.#options);
  }

  /** The options of a pattern. */
  optionsOf(pattern: string): PatternOptions {
    return this.#options.patterns[pattern]!;
  }

  /** All of them, open or not. */
  values(): Iterable<KnownStream> {
    return this.#known.values();
  }

  /** The number of a pattern's streams. */
  count(pattern: string): number {
    return this.#counts.get(pattern) ?? 0;
  }

  /**
   * Resolves to the pattern of a stream once it may be opened. Makes it if there is none.
   * @param caller who asks for it; absent for the program itself, which no rate limits
   * @throws {SpillwayError} `too-many-streams`, `rate-limited`, `stream-unknown`; a `store-…` code.
   */
  async claim(name: string, caller?: Caller): Promise<string> {
    while (this.#busy.has(name)) await this.#busy.get(name);
    const pattern = this.patternOf(name);
    if (pattern === undefined) throw new SpillwayError("stream-unknown", undefined, { field: "stream" });
    const stream = this.#known.get(name);
    if (stream) stream.usedAt = monotonicMs();
    else await this.#make(name, pattern, caller);
    return pattern;
  }

  /** Notes the state of a stream that is closed now, and was used until now. */
  note(name: string, log: Pick<Log, "epoch" | "state">): void {
    const stream = this.#known.get(name);
    if (!stream) return;
    noteState(stream, log);
    stream.usedAt = stream.trimmedAt;
  }

  /** Of these streams, those that are in use on this node. The others stay closed here while they are removed. */
  used(names: readonly string[]): string[] {
    const now = monotonicMs();
    // One that is being removed here is not used: otherwise two nodes that ask each other at once would both keep it.
    const used = names.filter((name) => {
      const stream = this.#known.get(name);
      return this.#host.isOpen(name) || (stream !== undefined && !this.#isIdle(stream, now));
    });
    const unused = names.filter((name) => !used.includes(name));
    this.#keepClosed(unused, wait(removalTime, undefined, { ref: false }));
    return used;
  }

  /** Reads from the store which streams there are. */
  async survey(): Promise<void> {
    const before = [...this.#known.values()];
    const found = new Set<string>();
    for (const prefix of new Set(Object.keys(this.#options.patterns).map(prefixOf)))
      for (const name of await this.#removal.list(prefix)) found.add(name);
    for (const name of found) {
      const pattern = this.patternOf(name);
      if (pattern !== undefined && !this.#known.has(name) && !this.#busy.has(name)) this.#add(name, pattern);
    }
    for (const stream of before) if (!found.has(stream.name) && !this.#host.isOpen(stream.name)) this.#drop(stream);
  }

  /** Removes the streams that nobody has used for the time of their patterns, and trims the others. */
  async sweep(): Promise<void> {
    for (let removed = true; removed;) {
      const now = monotonicMs();
      const idle: KnownStream[] = [];
      for (const stream of this.#known.values())
        if (idle.length < removedTogether && this.#isIdle(stream, now) && !this.#isUsed(stream)) idle.push(stream);
      if (idle.length > 0) await this.#remove(idle);
      removed = idle.length > 0 && idle.every(({ name }) => !this.#known.has(name));
    }
    for (const stream of this.#known.values()) if (this.#isTrimDue(stream)) await this.#trim(stream);
  }

  /** Applies other options. Streams without a pattern stay in the store. */
  apply(options: Pick<GatewayOptions, "streams" | "patterns">): void {
    this.#options = options;
    this.#limits = limitsOf(options);
    const streams = Array.from(this.#known.values());
    this.#known.clear();
    this.#counts.clear();
    for (const stream of streams) {
      const pattern = this.patternOf(stream.name);
      if (pattern !== undefined) this.#add(stream.name, pattern, stream);
    }
  }

  get #removal(): LogRemoval {
    return this.#host.store.removal!;
  }

  get #isShared(): boolean {
    return this.#host.store.coordination !== undefined;
  }

  #add(name: string, pattern: string, before?: KnownStream): void {
    const now = monotonicMs();
    const stream = before ?? { name, pattern, usedAt: now, trimmedAt: now, epoch: undefined, state: undefined };
    stream.pattern = pattern;
    this.#known.set(name, stream);
    this.#counts.set(pattern, this.count(pattern) + 1);
  }

  #drop({ name, pattern }: KnownStream): void {
    if (this.#known.delete(name)) this.#counts.set(pattern, this.count(pattern) - 1);
  }

  async #make(name: string, pattern: string, caller: Caller | undefined): Promise<void> {
    if (this.#isShared && (await this.#removal.has(name))) return this.#add(name, pattern);
    if (caller) this.#limits.get(pattern)?.(caller);
    this.#add(name, pattern);
    try {
      await this.#makeRoom(pattern);
    } catch (error) {
      this.#drop(this.#known.get(name)!);
      throw error;
    }
  }

  /** @throws {SpillwayError} `too-many-streams` */
  async #makeRoom(pattern: string): Promise<void> {
    const { streams: most, idle } = this.optionsOf(pattern).onDemand;
    if (this.count(pattern) <= most) return;
    for (const stream of this.#known.values()) {
      if (stream.pattern !== pattern) continue;
      const closing = this.#host.closeEmpty(stream.name);
      if (closing) await closing;
      if (stream.state?.head !== 0 || this.#isUsed(stream)) continue;
      await this.#remove([stream]);
      if (!this.#known.has(stream.name)) return;
    }
    throw new SpillwayError("too-many-streams", `the pattern ${pattern} has as many streams as it may`, {
      expected: `at most ${most} (onDemand.streams)`,
      retryAfter: Math.ceil(Math.min(idle, longestRetry) / 1000),
    });
  }

  #isUsed({ name }: KnownStream): boolean {
    return this.#host.isOpen(name) || this.#busy.has(name);
  }

  #isIdle(stream: KnownStream, now: number): boolean {
    return now - stream.usedAt >= this.optionsOf(stream.pattern).onDemand.idle;
  }

  #isTrimDue(stream: KnownStream): boolean {
    const { stream: options, onDemand } = this.optionsOf(stream.pattern);
    const { age = Infinity } = options.retention;
    // Otherwise the stream is removed before.
    if (age > onDemand.idle || stream.state?.events === 0) return false;
    return monotonicMs() - stream.trimmedAt >= age && !this.#isUsed(stream);
  }

  async #trim(stream: KnownStream): Promise<void> {
    const trimmed = this.#trimClosed(stream);
    this.#keepClosed([stream.name], trimmed);
    await trimmed;
  }

  async #trimClosed(stream: KnownStream): Promise<void> {
    const log = await this.#openClosed(stream);
    await log.trim();
    await this.#removal.close(stream.name);
    noteState(stream, log);
  }

  #openClosed({ name, pattern }: KnownStream): Promise<Log> {
    return this.#host.store.open(name, { retention: this.optionsOf(pattern).stream.retention });
  }

  /** Removes streams, except those that are used after all. */
  async #remove(streams: readonly KnownStream[]): Promise<void> {
    const names = streams.map(({ name }) => name);
    const removing = this.#removeUnused(streams, names);
    this.#keepClosed(names, removing);
    await removing;
  }

  async #removeUnused(streams: readonly KnownStream[], names: readonly string[]): Promise<void> {
    const asked = monotonicMs();
    const used = await this.#host.usedElsewhere(names);
    if (!used) return;
    for (const stream of streams) {
      // The other nodes may soon open it again.
      if (this.#isShared && monotonicMs() - asked > removalTime / 2) return;
      if (used.includes(stream.name)) stream.usedAt = monotonicMs();
      else if (!this.#isShared) await this.#removeLog(stream);
      else await this.#removeShared(stream);
    }
  }

  /** A node that has died since it published, or that is taken for dead, does not tell of its use. The log does. */
  async #removeShared(stream: KnownStream): Promise<void> {
    if (!(await this.#removal.has(stream.name))) return this.#drop(stream);
    const log = await this.#openClosed(stream);
    const { head, lastTime } = log.state();
    const age = Math.max(0, Date.now() - lastTime);
    if (head === 0 || age >= this.optionsOf(stream.pattern).onDemand.idle)
      return this.#removeLog(stream, { epoch: log.epoch, head });
    await this.#removal.close(stream.name);
    noteState(stream, log);
    stream.usedAt = monotonicMs() - age;
  }

  async #removeLog(stream: KnownStream, unchanged?: LogHead): Promise<void> {
    if (await this.#removal.remove(stream.name, unchanged)) this.#drop(stream);
    else stream.usedAt = monotonicMs();
  }

  #keepClosed(names: readonly string[], until: Promise<unknown>): void {
    for (const name of names) {
      const end = (): void => {
        if (this.#busy.get(name) === done) this.#busy.delete(name);
      };
      const done: Promise<void> = until.then(end, end);
      this.#busy.set(name, done);
    }
  }
}

/** A stream's range of events, as far as it is known. */
export function rangeOf({ name, epoch, state }: Pick<KnownStream, "name" | "epoch" | "state">): OnDemandStream {
  if (epoch === undefined || !state) return { name, head: null, earliest: null };
  return { name, head: formatCursor(epoch, state.head), earliest: formatCursor(epoch, state.earliest) };
}

function noteState(stream: KnownStream, log: Pick<Log, "epoch" | "state">): void {
  stream.epoch = log.epoch;
  stream.state = log.state();
  stream.trimmedAt = monotonicMs();
}

function limitsOf({ patterns }: Pick<GatewayOptions, "patterns">): Map<string, (caller: Caller) => void> {
  return new Map(Object.entries(patterns).map(([name, { onDemand }]) => [name, createRateLimit(onDemand.rate)]));
}
