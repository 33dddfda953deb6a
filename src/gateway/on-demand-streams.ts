import { isDeepStrictEqual } from "node:util";
import { SpillwayError } from "../errors.ts";
import type { Peers } from "../http/clients.ts";
import type { OnDemandStreams, ServedStream } from "../http/gateway-context.ts";
import type { OnDemandStatus, OnDemandStream } from "../http/gateway-status.ts";
import { noSubscribers } from "../http/subscriber-stats.ts";
import type { Caller as Client } from "../limits/admission.ts";
import type { LogStore } from "../log/log.ts";
import type { IngestStats } from "../metrics/snapshot.ts";
import { loadedTransform } from "../transform/load.ts";
import type { Logger } from "../util/logger.ts";
import { createHeldStreams, type HeldStreams } from "./held-streams.ts";
import type { GatewayOptions, StreamOptions } from "./options.ts";
import { createPatternTotals, sumOfStates, type PatternStats } from "./pattern-totals.ts";
import { affectsSubscribers, removed } from "./reload.ts";
import { openSource, type OwnSource } from "./source.ts";
import { rangeOf, StreamDirectory } from "./stream-directory.ts";

/** What a pattern is in metrics: one stream with the sums over all of its streams. */
export type PatternStream = Pick<
  ServedStream,
  "log" | "subscriberStats" | "upstream" | "transform" | "definition" | "paused"
> & {
  /** The number of its streams. */
  count(): number;
  ingestStats(): IngestStats;
};

export interface OnDemandDependencies {
  /**
   * Serves a stream that was opened, or makes others serve it.
   * @param hold keeps the stream open; returns the function that ends this
   */
  serve(
    name: string,
    options: StreamOptions,
    source: OwnSource,
    hold: () => () => void,
  ): Promise<ServedStream | undefined>;
  readonly store: LogStore;
  /** The other nodes that share the store. */
  readonly peers: Peers | undefined;
  readonly logger: Logger;
}

/** A stream that is open in this process. */
interface OpenStream {
  readonly pattern: string;
  readonly source: OwnSource;
  readonly served: ServedStream | undefined;
}

/** How long a stream stays open after its last use at most, in ms. */
export const longestQuiet = 10_000;

/** The interval of the checks for what is not used, and of the looks into a store that others use too, in ms. */
const interval = { sweep: 1_000, survey: 30_000 };

/** The streams that a process makes on demand, and whose events it stores. */
export class OwnOnDemandStreams implements OnDemandStreams {
  readonly #dependencies: OnDemandDependencies;
  readonly #totals = createPatternTotals();
  readonly #directory: StreamDirectory;
  readonly #held: HeldStreams<OpenStream>;
  #patterns: GatewayOptions["patterns"];
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;
  #surveyedAt = 0;
  #stopped = false;

  /**
   * No stream is open yet.
   * @throws {SpillwayError} `config-invalid` if there are patterns, and the store cannot remove logs.
   */
  constructor(options: GatewayOptions, dependencies: OnDemandDependencies) {
    const { store, logger } = dependencies;
    if (!store.removal && Object.keys(options.patterns).length > 0) throw unsuitable();
    this.#dependencies = dependencies;
    this.#patterns = options.patterns;
    this.#held = createHeldStreams<OpenStream>({
      open: (name, client) => this.#open(name, client),
      close: (name, stream) => this.#close(name, stream),
      quiet: (name) => quietOf(this.#directory.patternOf(name), this.#patterns),
      logger,
    });
    this.#directory = new StreamDirectory(options, {
      store,
      isOpen: (name) => this.#held.has(name),
      closeEmpty: (name) => this.#closeEmpty(name),
      usedElsewhere: (names) => askPeers(dependencies.peers, names),
    });
  }

  matches(name: string): boolean {
    return this.#directory.patternOf(name) !== undefined;
  }

  obtain(name: string, client?: Client): ServedStream | Promise<ServedStream> | undefined {
    if (!this.matches(name)) return undefined;
    const found = this.#obtain(name, client);
    return found instanceof Promise ? found.then(({ served }) => served!) : found.served;
  }

  /**
   * The source of a stream, which is made and opened if necessary, as `obtain` does.
   * @throws {SpillwayError} also `stream-unknown`
   */
  async source(name: string, client?: Client): Promise<OwnSource> {
    return (await this.#obtain(name, client)).source;
  }

  /** Keeps a stream open; returns the function that ends this. */
  hold(name: string): () => void {
    return this.#held.hold(name);
  }

  open(): ServedStream[] {
    return Array.from(this.#held.all.values(), ({ served }) => served ?? []).flat();
  }

  list(): OnDemandStream[] {
    return Array.from(this.#directory.values(), (known) => {
      const log = this.#held.all.get(known.name)?.source.log;
      return rangeOf(log ? { name: known.name, epoch: log.epoch, state: log.state() } : known);
    });
  }

  status(): Record<string, OnDemandStatus> {
    return Object.fromEntries(
      Object.entries(this.#patterns).map(([pattern, { onDemand }]) => {
        const open = this.#openOf(pattern).length;
        return [pattern, { streams: this.#directory.count(pattern), open, limit: onDemand.streams }];
      }),
    );
  }

  /** The patterns, as metrics show them. */
  patterns(): (readonly [string, PatternStream])[] {
    return Object.keys(this.#patterns).map((pattern) => [pattern, this.#patternStream(pattern)] as const);
  }

  /** Of these streams, those that are in use on this node. */
  used(names: readonly string[]): string[] {
    return this.#directory.used(names);
  }

  /** Reads from the store which streams there are, and begins to close and remove them. */
  async start(): Promise<void> {
    if (Object.keys(this.#patterns).length === 0) return;
    await this.#survey();
    this.#schedule();
  }

  apply(next: GatewayOptions): void {
    const before = this.#patterns;
    this.#patterns = next.patterns;
    this.#directory.apply(next);
    for (const [name, stream] of this.#held.all) this.#change(name, stream, before[stream.pattern]?.stream);
    if (!isDeepStrictEqual(Object.keys(before), Object.keys(next.patterns))) this.#surveyedAt = 0;
    this.#schedule();
  }

  /** Closes a stream whose log the store has lost. */
  async lose(log: string): Promise<void> {
    await this.#held.close(log);
  }

  /** Opens no more streams; resolves once all received events are in the logs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#working;
    await this.#held.stop();
    await Promise.all(Array.from(this.#held.all.values(), ({ source }) => source.stop()));
  }

  #obtain(name: string, client: Client | undefined): OpenStream | Promise<OpenStream> {
    if (this.#stopped) throw new SpillwayError("shutting-down");
    return this.#held.obtain(name, client);
  }

  async #open(name: string, client: Client | undefined): Promise<OpenStream> {
    if (this.#stopped) throw new SpillwayError("shutting-down");
    const { store, serve, logger } = this.#dependencies;
    const pattern = await this.#directory.claim(name, client);
    const { stream } = this.#directory.optionsOf(pattern);
    // Without an upstream nothing is ingested, so the lease is not used. The start and each reload load the modules.
    const source = await openSource(name, stream, { store, logger, lease: 0, load: loadedTransform });
    const served = await serve(name, stream, source, () => this.hold(name));
    return { pattern, source, served: served && { ...served, pattern } };
  }

  async #close(name: string, { pattern, source, served }: OpenStream): Promise<void> {
    await source.stop();
    await served?.hub.close(removed);
    this.#totals.add(pattern, statsOf({ source, served }));
    this.#directory.note(name, source.log);
    // Otherwise a reload has configured a stream of this name, which has the log open.
    if (this.matches(name)) await this.#dependencies.store.removal!.close(name);
  }

  #closeEmpty(name: string): Promise<void> | undefined {
    const isEmpty = this.#held.all.get(name)?.source.log.state().head === 0;
    return isEmpty && !this.#held.isHeld(name) ? this.#held.close(name) : undefined;
  }

  /** Applies the options that its name has now to an open stream. */
  #change(name: string, { pattern, source }: OpenStream, before: StreamOptions | undefined): void {
    const now = this.#directory.patternOf(name);
    const after = now === undefined ? undefined : this.#patterns[now]!.stream;
    if (!after || now !== pattern || affectsSubscribers({ before, after })) void this.#held.close(name);
    // A module may have changed.
    else if (after.transform || !isDeepStrictEqual(before, after))
      source.prepare(after).then(
        ({ commit }) => commit(),
        (err: unknown) => this.#dependencies.logger.error({ stream: name, err }, "the stream keeps its options"),
      );
  }

  #openOf(pattern: string): OpenStream[] {
    return Array.from(this.#held.all.values()).filter((stream) => stream.pattern === pattern);
  }

  #sum(pattern: string): PatternStats {
    return this.#totals.sum(pattern, this.#openOf(pattern).map(statsOf));
  }

  #patternStream(pattern: string): PatternStream {
    const streams = this.#openOf(pattern);
    const closed = Array.from(this.#directory.values(), ({ name, pattern: its, state }) => {
      return its === pattern && state && !this.#held.all.has(name) ? state : [];
    }).flat();
    const state = sumOfStates([...closed, ...streams.map(({ source }) => source.log.state())]);
    return {
      count: () => this.#directory.count(pattern),
      ingestStats: () => this.#sum(pattern).ingest,
      log: { state: () => state } as ServedStream["log"],
      subscriberStats: () => this.#sum(pattern).subscribers,
      upstream: () => undefined,
      transform: () => this.#sum(pattern).transform,
      definition: () => undefined,
      paused: () => streams.map(({ source }) => source.paused()).find((code) => code !== undefined),
    };
  }

  async #survey(): Promise<void> {
    this.#surveyedAt = performance.now();
    await this.#directory.survey();
  }

  async #work(): Promise<void> {
    this.#held.sweep();
    const isDue = performance.now() - this.#surveyedAt > interval.survey;
    if (this.#surveyedAt === 0 || (isDue && this.#dependencies.store.coordination)) await this.#survey();
    await this.#directory.sweep();
  }

  #schedule(): void {
    clearInterval(this.#timer);
    const idle = Object.values(this.#patterns).map(({ onDemand }) => onDemand.idle);
    if (idle.length === 0 || this.#stopped) return;
    const run = (): void => {
      this.#working ??= this.#work()
        .catch((err: unknown) => this.#dependencies.logger.warn({ err }, "unused streams could not be removed"))
        .finally(() => (this.#working = undefined));
    };
    this.#timer = setInterval(run, Math.min(interval.sweep, ...idle) / 2).unref();
  }
}

/** How long a stream of a pattern stays open after its last use, in ms. */
export function quietOf(pattern: string | undefined, patterns: GatewayOptions["patterns"]): number {
  return pattern === undefined ? 0 : Math.min(longestQuiet, patterns[pattern]!.onDemand.idle);
}

async function askPeers(peers: Peers | undefined, streams: readonly string[]): Promise<string[] | undefined> {
  if (!peers) return [];
  const { answers, complete } = await peers.ask({ name: "used", call: { streams } });
  // A node of an earlier version has no answer.
  return complete && answers.every(Array.isArray) ? (answers as string[][]).flat() : undefined;
}

function statsOf({ source, served }: Pick<OpenStream, "source" | "served">): PatternStats {
  return {
    subscribers: served?.subscriberStats() ?? noSubscribers,
    ingest: source.ingestStats(),
    transform: source.transform(),
  };
}

function unsuitable(): SpillwayError {
  const expected = "a store that can remove logs";
  const message = `streams: a pattern such as chat-* needs ${expected}`;
  return new SpillwayError("config-invalid", message, { field: "streams", expected });
}
