/** The shapes that the modules of the benchmark have in common. */

/** What a scenario needs of a server beyond sending an event to everyone. */
export type Feature =
  /** Clients choose a channel. */
  | "channels"
  /** Clients that come back with `Last-Event-ID` get what they missed. */
  | "replay"
  /** It takes events as fast as it can, and says when it has them. */
  | "ingest"
  /** Several of it share a log. Such servers are measured where that is needed, and nowhere else. */
  | "nodes";

/** A server that is measured: Spillway, or a peer. */
export interface Server {
  /** As `--server` takes it. */
  readonly name: string;
  /** What a reader of the tables has to know of it. */
  readonly note: string;
  /** Lost, repeated or disordered events fail the whole benchmark. */
  readonly ours?: boolean;
  readonly features: readonly Feature[];
  /** The only scenarios it makes sense in; without it all of those whose needs it meets. */
  readonly only?: readonly string[];
  /** How often it is measured unless `--runs` says otherwise: less where the exact figure matters less. Default 3. */
  readonly runs?: number;
  /** Open files it needs for each client. */
  readonly filesPerClient: number;
  /**
   * How events get to it: it connects to the origin once, or for each client; the origin posts to it; it makes them itself.
   */
  readonly source: "one" | "each" | "posts" | "itself";
  /** Why it cannot run here. Throws if it has to. */
  missing(): Promise<string | undefined>;
  version(): Promise<string>;
  start(context: StartContext): Promise<Running>;
}

export interface StartContext {
  /** Where the origin serves its events. */
  readonly origin: string;
  /** The cores to run on; undefined: any. */
  readonly cpus: string | undefined;
  /** A directory of its own, removed afterwards. */
  readonly directory: string;
  readonly settings: Settings;
}

/** What a variant asks of the server's configuration. */
export interface Settings {
  /** How many channels there are; 0: none. */
  readonly channels: number;
  /** How long events may wait for others to leave with them, in ms; 0: not at all. */
  readonly coalesce: number;
  /** How many processes serve; 1: the one that was started. */
  readonly workers: number;
  /** How many streams there are that take what is published to them, `s1` and so on, besides the one that has the origin's events. */
  readonly streams: number;
}

export interface Running {
  /** The process whose CPU time and memory count, with its children. */
  readonly pid: number;
  /** `http://host:port`. */
  readonly url: string;
  /** How long it took from its start until it listened, in ms, and what CPU time, in µs; absent where nobody asks. */
  readonly started?: { readonly after: number; readonly cpu: number };
  /** What a client asks for; the channel is "" where there are none. */
  path(channel: string): string;
  /** A path that is answered at once with anything but a stream; without it nobody asks how long answers take. */
  readonly health?: string | undefined;
  /** Where the origin posts events, with `{channel}` for the channel. */
  readonly publish?: string;
  /** Makes events itself. */
  readonly emit?: Emitter;
  /** Resolves once so many events are stored. */
  stored?(count: number): Promise<void>;
  /** Starts one more node on the same log. */
  join?(): Promise<Pick<Running, "pid" | "url">>;
  /** The process of the engine that has the log, where it can be seen. */
  readonly engine?: number | undefined;
  stop(): Promise<void>;
}

/** Whoever makes the numbered events. */
export interface Emitter {
  paced(rate: number, count: number): Promise<Emitted>;
  burst(count: number): Promise<Emitted>;
  /** For so many seconds, as fast as they are taken. */
  flood(seconds: number): Promise<Emitted>;
  /** So many events, as fast as they are taken. */
  fill(count: number): Promise<Emitted>;
  /** Ends what `paced` began before its time. */
  stop(): Promise<void>;
}

export interface Emitted {
  /** The number of the last event that each client gets; of its channel where there are channels. */
  readonly last: number;
  /** How many events were made, ever. */
  readonly count: number;
  /** When this began, in µs of the monotonic clock. */
  readonly startedAt: number;
}

/** What the load client says of a group of connections. Times in ms, `firstAt` and `lastAt` in µs of the clock. */
export interface LoadReport {
  readonly connections: number;
  readonly received: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly disordered: number;
  readonly refused: number;
  readonly closed: number;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Connections opened for one purpose. */
export interface LoadGroup {
  /** When opening them began, in µs of the clock, and how long it took, in s. */
  readonly startedAt: number;
  readonly seconds: number;
  mark(): Promise<void>;
  /** Resolves once every connection has this event; throws after `timeout` s unless that is allowed. */
  completed(last: number, timeout: number): Promise<void>;
  report(): Promise<LoadReport>;
  /** The id of the last event that the first connection got. */
  lastId(): Promise<string>;
  resume(): Promise<void>;
  /** Closes its connections; nothing can be asked of it from then on. */
  leave(): Promise<void>;
}

export interface OpenOptions {
  readonly count: number;
  /** The number of the first event they must get; without it any may be the first. */
  readonly first?: number;
  readonly wantsIds?: boolean;
  readonly headers?: Record<string, string>;
  readonly stalled?: boolean;
  /** The URL of a node; default: the one that was started. */
  readonly at?: string;
  /** In a process of its own, so that its times do not suffer from what the others read. */
  readonly apart?: boolean;
}

/** What happened to the server while something was done. */
export interface Measured<T> {
  readonly result: T;
  readonly seconds: number;
  /** CPU time of the server, in µs. */
  readonly cpu: number;
  /** The same of each of its processes; the first is the one that was started. */
  readonly cpuOfEach: readonly number[];
  /** Highest resident memory seen, in bytes. */
  readonly rss: number;
  /** How busy the load client and the origin kept their cores: near 1 they were the bottleneck. */
  readonly loadBusy: number;
}

/** The processes of one measurement. */
export interface Stage {
  readonly emit: Emitter;
  readonly running: Running;
  open(options: OpenOptions): Promise<LoadGroup>;
  measure<T>(work: () => Promise<T>): Promise<Measured<T>>;
  /** How long the server takes to answer a small request meanwhile; asked every few ms. Undefined where it has no such answer. */
  probe<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly stalls: Stalls | undefined }>;
  /** Resident memory of the server now, in bytes. */
  rss(): number;
  /** The same, with what its processes share counted once, where the system tells. */
  pss(): number;
}

/** In ms: the longest time without an answer, and the one that 99 % of all moments did not exceed. */
export interface Stalls {
  readonly longest: number;
  readonly p99: number;
}

/** Numbers by name; the names are those of the scenario's columns, and those every scenario has. */
export type Metrics = Record<string, number>;

export interface Column {
  readonly key: string;
  readonly title: string;
  readonly digits: number;
}

/** A size of a scenario. */
export interface Variant {
  /** Its heading in the tables. */
  readonly name: string;
  readonly numbers: Numbers;
}

/**
 * What makes a variant: `clients`, and what its scenario knows. Also for all: `size`, the bytes of data of an event (default 200),
 * `cores` for the server (default 1), and what goes into `Settings`.
 */
export type Numbers = Readonly<Record<string, number>>;

export interface Scenario {
  /** As `--scenario` takes it. */
  readonly name: string;
  readonly text: string;
  readonly needs: readonly Feature[];
  /**
   * The one server it is about, where the question is what changes this one's cost: the variants are the rows of one table, and the
   * first is what the others are set in relation to.
   */
  readonly within?: string;
  readonly variants: readonly Variant[];
  /** For `--small`: enough to find a lost event, too little to time anything. */
  readonly small: readonly Variant[];
  /** The first is the one that is set in relation to that of the table's first row. */
  readonly columns: readonly Column[];
  run(stage: Stage, numbers: Numbers): Promise<Metrics>;
}
