/** The types that the modules of the benchmark share. */

/** Features that a scenario needs beyond sending an event to all clients. */
export type Feature =
  /** Clients can select a channel. */
  | "channels"
  /** Clients that reconnect with `Last-Event-ID` get the events they missed. */
  | "replay"
  /** It accepts events as fast as it can, and reports when they are stored. */
  | "ingest"
  /** Several nodes can share a log. Such servers are only measured in scenarios that need it. */
  | "nodes"
  /** It forwards the requests of each client to the origin. */
  | "routes";

/** A server to measure: Spillway or another one. */
export interface Server {
  /** The name for `--server`. */
  readonly name: string;
  /** A description for readers of the tables. */
  readonly note: string;
  /** Lost, duplicate or out-of-order events fail the whole benchmark. */
  readonly ours?: boolean;
  readonly features: readonly Feature[];
  /** The only scenarios to use it in. Default: all scenarios whose needs it meets. */
  readonly only?: readonly string[];
  /** The number of runs without `--runs`; fewer if an exact figure is less important. Default: 3. */
  readonly runs?: number;
  /** Open files per client. */
  readonly filesPerClient: number;
  /**
   * How it gets events: it connects to the origin once or per client, the origin posts to it, or it creates them itself.
   */
  readonly source: "one" | "each" | "posts" | "itself";
  /** Why it cannot run on this machine, or `undefined`. May throw instead. */
  missing(): Promise<string | undefined>;
  version(): Promise<string>;
  start(context: StartContext): Promise<Running>;
}

export interface StartContext {
  /** The URL of the origin's events. */
  readonly origin: string;
  /** The cores to run on; undefined: any. */
  readonly cpus: string | undefined;
  /** A temporary directory, removed afterwards. */
  readonly directory: string;
  readonly settings: Settings;
}

/** The configuration of the server that a variant requires. */
export interface Settings {
  /** Number of channels; 0: none. */
  readonly channels: number;
  /** Whether clients select a channel by a filter expression. */
  readonly filters: boolean;
  /** How long events may wait to be sent together, in ms; 0: not at all. */
  readonly coalesce: number;
  /** Number of processes that serve; 1: only the started one. */
  readonly workers: number;
  /** Number of streams for publishing, `s1` and so on, in addition to the one with the origin's events. */
  readonly streams: number;
  /** Number of streams `d-1` and so on that may be made on demand. */
  readonly onDemand: number;
  /** Whether the server forwards all requests to the origin. */
  readonly routes: boolean;
}

export interface Running {
  /** The process whose CPU time and memory are measured, including its children. */
  readonly pid: number;
  /** `http://host:port`. */
  readonly url: string;
  /** The time from its start until it listened, in ms, and the CPU time, in µs; absent if not measured. */
  readonly started?: { readonly after: number; readonly cpu: number };
  /** The path that a client requests; the channel is "" if there are none. */
  path(channel: string): string;
  /** A path with a short, immediate response. Without it, response times are not measured. */
  readonly health?: string | undefined;
  /** The URL to which the origin posts events, with `{channel}` for the channel. */
  readonly publish?: string;
  /** Creates events itself. */
  readonly emit?: Emitter;
  /** Resolves once this number of events is stored. */
  stored?(count: number): Promise<void>;
  /** Starts one more node on the same log. */
  join?(): Promise<Pick<Running, "pid" | "url">>;
  /** The process of the engine with the log, if it is visible. */
  readonly engine?: number | undefined;
  stop(): Promise<void>;
}

/** The source of the numbered events. */
export interface Emitter {
  paced(rate: number, count: number): Promise<Emitted>;
  burst(count: number): Promise<Emitted>;
  /** For this number of seconds, as fast as the server accepts them. */
  flood(seconds: number): Promise<Emitted>;
  /** This number of events, as fast as the server accepts them. */
  fill(count: number): Promise<Emitted>;
  /** Ends `paced` early. */
  stop(): Promise<void>;
}

export interface Emitted {
  /** The number of the last event for each client, counted per channel if there are channels. */
  readonly last: number;
  /** The total number of events created. */
  readonly count: number;
  /** The start time, in µs of the monotonic clock. */
  readonly startedAt: number;
}

/** The load client's report on a group of connections. Times are in ms, `firstAt` and `lastAt` in µs of the clock. */
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

/** Results of short requests. Times in ms. */
export interface RequestReport {
  readonly answered: number;
  /** Responses with a status other than 200. */
  readonly refused: number;
  /** Responses whose body differs from the request's. */
  readonly wrong: number;
  /** Connections that the server closed. */
  readonly closed: number;
  /** Total duration, in s. */
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
}

/** A group of connections with the same purpose. */
export interface LoadGroup {
  /** When opening them started, in µs of the clock, and how long it took, in s. */
  readonly startedAt: number;
  readonly seconds: number;
  mark(): Promise<void>;
  /** Resolves once every connection has this event; throws after `timeout` s unless that is allowed. */
  completed(last: number, timeout: number): Promise<void>;
  report(): Promise<LoadReport>;
  /** The id of the last event on the first connection. */
  lastId(): Promise<string>;
  resume(): Promise<void>;
  /** Closes its connections. The group cannot be used afterwards. */
  leave(): Promise<void>;
}

export interface OpenOptions {
  readonly count: number;
  /** The number of the first event they must get. Default: any. */
  readonly first?: number;
  readonly wantsIds?: boolean;
  readonly headers?: Record<string, string>;
  readonly stalled?: boolean;
  /** The URL of a node. Default: the started server. */
  readonly at?: string;
  /** In a separate process, so that the load of the other groups does not affect its times. */
  readonly apart?: boolean;
}

/** Measurements of the server during an action. */
export interface Measured<T> {
  readonly result: T;
  readonly seconds: number;
  /** CPU time of the server, in µs. */
  readonly cpu: number;
  /** The same for each of its processes, the started one first. */
  readonly cpuOfEach: readonly number[];
  /** Maximum resident memory, in bytes. */
  readonly rss: number;
  /** Utilization of the cores of the load client and the origin. Near 1, they were the bottleneck. */
  readonly loadBusy: number;
}

/** The processes of one measurement. */
export interface Stage {
  readonly emit: Emitter;
  readonly running: Running;
  open(options: OpenOptions): Promise<LoadGroup>;
  /** Sends short requests over this number of connections, for this number of seconds. */
  request(connections: number, seconds: number): Promise<RequestReport>;
  /** The URL of the origin's events. */
  readonly origin: string;
  measure<T>(work: () => Promise<T>): Promise<Measured<T>>;
  /** Response times of small requests, sent every few ms. Undefined if the server has no suitable path. */
  probe<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly stalls: Stalls | undefined }>;
  /** Current resident memory of the server, in bytes. */
  rss(): number;
  /** The same, with memory that its processes share counted once, if the system reports it. */
  pss(): number;
}

/** In ms: the longest time without a response, and its 99th percentile over time. */
export interface Stalls {
  readonly longest: number;
  readonly p99: number;
}

/** Numbers by name. The names are those of the scenario's columns and of the common ones. */
export type Metrics = Record<string, number>;

export interface Column {
  readonly key: string;
  readonly title: string;
  readonly digits: number;
}

/** A variant of a scenario. */
export interface Variant {
  /** Its heading in the tables. */
  readonly name: string;
  readonly numbers: Numbers;
}

/**
 * The parameters of a variant: `clients`, and those of its scenario. Common ones are `size`, the bytes of data of an event (default
 * 200), `cores` for the server (default 1), `routes` (1: the server forwards to the origin), and the members of `Settings`.
 */
export type Numbers = Readonly<Record<string, number>>;

export interface Scenario {
  /** The name for `--scenario`. */
  readonly name: string;
  readonly text: string;
  readonly needs: readonly Feature[];
  /**
   * The only server, for scenarios that measure what changes its cost: the variants are the rows of one table, and are compared
   * with the first one.
   */
  readonly within?: string;
  readonly variants: readonly Variant[];
  /** For `--small`: enough to find a lost event, too little to measure times. */
  readonly small: readonly Variant[];
  /** The first column is the one that is compared with the table's first row. */
  readonly columns: readonly Column[];
  run(stage: Stage, numbers: Numbers): Promise<Metrics>;
}
