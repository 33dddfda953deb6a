import { createHeldStreams, type HeldStreams } from "../../gateway/held-streams.ts";
import { quietOf, type PatternStream } from "../../gateway/on-demand-streams.ts";
import type { GatewayOptions } from "../../gateway/options.ts";
import { createPatternTotals, nothingIngested, type PatternStats } from "../../gateway/pattern-totals.ts";
import { affectsSubscribers, removed } from "../../gateway/reload.ts";
import { patternOf } from "../../gateway/stream-patterns.ts";
import { serveStream } from "../../gateway/stream.ts";
import { SpillwayError } from "../../errors.ts";
import type { OnDemandStreams, ServedStream } from "../../http/gateway-context.ts";
import type { OnDemandStatus, OnDemandStream, SubscriberStats } from "../../http/gateway-status.ts";
import { noSubscribers } from "../../http/subscriber-stats.ts";
import type { Caller } from "../../limits/admission.ts";
import { createFollower, type Follower } from "./follower.ts";
import type { WorkerStreamsDependencies } from "./streams.ts";

interface OpenStream {
  readonly pattern: string;
  readonly served: ServedStream;
}

/** The interval of the checks for streams that nobody uses here any more, in ms. */
const sweepInterval = 1_000;

/** For what only a stream with an upstream or a module has. */
const none = (): undefined => undefined;

const emptyLog = { head: 0, earliest: 1, events: 0, bytes: 0, lastTime: 0, upstreamCursor: undefined };

/** The streams made on demand that a worker serves. The primary makes, keeps and removes them. */
export class WorkerOnDemandStreams implements OnDemandStreams {
  readonly #dependencies: Omit<WorkerStreamsDependencies, "count">;
  readonly #totals = createPatternTotals();
  readonly #held: HeldStreams<OpenStream>;
  readonly #followers = new Map<string, Follower>();
  readonly #timer: NodeJS.Timeout;
  #options: Pick<GatewayOptions, "streams" | "patterns">;

  /** No stream is open yet. */
  constructor(options: GatewayOptions, dependencies: Omit<WorkerStreamsDependencies, "count">) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#held = createHeldStreams<OpenStream>({
      open: (name, client) => this.#open(name, client),
      close: (name, stream) => this.#close(name, stream),
      quiet: (name) => quietOf(patternOf(name, this.#options), this.#options.patterns),
      logger: dependencies.logger,
    });
    this.#timer = setInterval(() => this.#held.sweep(), sweepInterval).unref();
  }

  matches(name: string): boolean {
    return patternOf(name, this.#options) !== undefined;
  }

  obtain(name: string, client?: Caller): ServedStream | Promise<ServedStream> | undefined {
    if (!this.matches(name)) return undefined;
    const found = this.#held.obtain(name, client);
    return found instanceof Promise ? found.then(({ served }) => served) : found.served;
  }

  /** Those of this worker, with the statistics over all workers. */
  open(): ServedStream[] {
    const { streams } = this.#dependencies.primary.facts();
    return Array.from(this.#held.all, ([name, { served }]) => ({
      ...served,
      subscriberStats: (): SubscriberStats => streams[name]?.subscriberStats ?? served.subscriberStats(),
    }));
  }

  list(): Promise<readonly OnDemandStream[]> {
    return this.#dependencies.primary.call("streams", null);
  }

  status(): Readonly<Record<string, OnDemandStatus>> {
    return this.#dependencies.primary.facts().onDemand;
  }

  used(names: readonly string[]): string[] {
    return names.filter((name) => this.#held.has(name));
  }

  /** The follower of a stream that is open in this worker, or is being opened. */
  follower(name: string): Follower | undefined {
    return this.#followers.get(name);
  }

  /** The patterns with the sums over all processes, for metrics. */
  patterns(): (readonly [string, PatternStream])[] {
    return Object.keys(this.#options.patterns).map((pattern) => [pattern, this.#patternStream(pattern)] as const);
  }

  /** This worker's statistics by pattern, and of each stream that is open. */
  stats(): ReadonlyMap<string, SubscriberStats> {
    const open = [...this.#held.all.values()];
    const statsOf = (pattern: string): PatternStats[] =>
      open
        .filter((stream) => stream.pattern === pattern)
        .map(({ served }) => ({ subscribers: served.subscriberStats(), ingest: nothingIngested }));
    const patterns = Object.keys(this.#options.patterns);
    return new Map([
      ...patterns.map((pattern) => [pattern, this.#totals.sum(pattern, statsOf(pattern)).subscribers] as const),
      ...open.map(({ served }) => [served.name, served.subscriberStats()] as const),
    ]);
  }

  apply(next: GatewayOptions): void {
    const { patterns: before } = this.#options;
    this.#options = next;
    for (const [name, { pattern }] of this.#held.all) {
      const now = patternOf(name, this.#options);
      const after = now === undefined ? undefined : next.patterns[now]!.stream;
      const isSame = after && now === pattern && !affectsSubscribers({ before: before[pattern]?.stream, after });
      if (!isSame) void this.#held.close(name);
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #open(name: string, client: Caller | undefined): Promise<OpenStream> {
    const { primary, openReader, limits, logger } = this.#dependencies;
    await primary.call("open", { stream: name, client });
    try {
      const pattern = patternOf(name, this.#options);
      if (pattern === undefined) throw new SpillwayError("stream-unknown");
      const follower = createFollower(openReader(name), none, primary, logger);
      // From now on it must not miss a hint.
      this.#followers.set(name, follower);
      const source = { ...follower.source, hold: () => this.#held.hold(name) };
      const count = (): number => this.#held.all.size + 1;
      const served = await serveStream(name, this.#options.patterns[pattern]!.stream, source, {
        limits,
        count,
        logger,
      });
      return { pattern, served: { ...served, pattern } };
    } catch (error) {
      this.#end(name);
      throw error;
    }
  }

  async #close(name: string, { pattern, served }: OpenStream): Promise<void> {
    await served.hub.close(removed);
    this.#totals.add(pattern, { subscribers: served.subscriberStats(), ingest: nothingIngested });
    this.#end(name);
  }

  #end(name: string): void {
    this.#followers.delete(name);
    this.#dependencies.primary.send({ kind: "closed", stream: name });
  }

  #patternStream(pattern: string): PatternStream {
    const { primary } = this.#dependencies;
    const facts = primary.facts().streams[pattern];
    return {
      count: () => primary.facts().onDemand[pattern]?.streams ?? 0,
      ingestStats: () => facts?.ingestStats ?? nothingIngested,
      log: { state: () => facts?.log ?? emptyLog } as ServedStream["log"],
      subscriberStats: () => facts?.subscriberStats ?? noSubscribers,
      upstream: none,
      transform: () => facts?.transform,
      definition: none,
      paused: () => facts?.paused,
    };
  }
}
