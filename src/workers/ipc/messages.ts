/** The messages between the primary and its workers. */
import type { Identity } from "../../access/identity.ts";
import type { Ticket, TicketRequest } from "../../access/tickets.ts";
import { SpillwayError, type ErrorCode } from "../../errors.ts";
import type { Announced } from "../../gateway/feed.ts";
import type { GatewayOptions } from "../../gateway/options.ts";
import type { PeerAnswers, PeerCall } from "../../http/clients.ts";
import type { Diagnostics } from "../../http/diagnostics.ts";
import type { Arrival, Caller } from "../../limits/admission.ts";
import type { ProcessStats } from "../../metrics/process-stats.ts";
import type { IngestStats, ProcessSnapshot } from "../../metrics/snapshot.ts";
import type { DeliveryCommand, Published, StoreOptions } from "../../http/gateway-context.ts";
import type {
  DeliveriesStatus,
  OnDemandStatus,
  RoutesStatus,
  StreamDefinitionStatus,
  OnDemandStream,
  StreamTransformStatus,
  SubscriberStats,
  WorkerStatus,
} from "../../http/gateway-status.ts";
import type { UpstreamStatus } from "../../upstream/upstream.ts";
import type { LogEvent, LogState, NewEvent } from "../../log/log.ts";

/** A message from the primary to a worker. */
export type ToWorker =
  | Start
  /** Start to listen; answered with `ready`. */
  | { readonly kind: "listen" }
  | Hint
  | { readonly kind: "upstream"; readonly stream: string; readonly state: Announced }
  /** The result of a call. */
  | { readonly kind: "answered"; readonly id: number; readonly answer: unknown }
  | { readonly kind: "refused"; readonly id: number; readonly error: ErrorText }
  /** Answered with `report`. */
  | { readonly kind: "report-request" }
  /** A question of another worker; answered with `done`. */
  | { readonly kind: "ask"; readonly id: string; readonly call: PeerCall }
  /** Apply new options; answered with `done`. */
  | { readonly kind: "apply"; readonly id: string; readonly options: GatewayOptions }
  | { readonly kind: "facts"; readonly id: number; readonly facts: Facts }
  /** The last message: deliver the remaining events, end the subscriptions, and exit. */
  | { readonly kind: "close" };

/** A message from a worker to the primary. */
export type ToPrimary =
  /** The worker is ready to serve, but does not listen yet. */
  | { readonly kind: "prepared" }
  | { readonly kind: "ready"; readonly host: string; readonly port: number }
  | { readonly kind: "failed"; readonly error: ErrorText }
  | Call
  /** An admitted connection has ended. */
  | { readonly kind: "release"; readonly place: number }
  /** A ticket was used for the session of this number in the worker. */
  | { readonly kind: "use"; readonly ticket: string; readonly number: number }
  /** A command was executed. `answer` is that to a question; absent if there is none. */
  | { readonly kind: "done"; readonly id: string; readonly answer?: unknown }
  /** Whether a client of this worker needs the stream's upstream. */
  | { readonly kind: "demand"; readonly stream: string; readonly wanted: boolean }
  /** This worker has closed a stream that was made on demand. */
  | { readonly kind: "closed"; readonly stream: string }
  | ({ readonly kind: "report" } & Report)
  /** Answered with the facts over all workers. */
  | { readonly kind: "facts-request"; readonly id: number };

/** The first message to a worker, with everything it needs to serve. */
export interface Start {
  readonly kind: "start";
  /** The worker's number, from 1. A replacement gets the number of the worker that it replaces. */
  readonly number: number;
  /** The options without upstreams and deliveries, whose secrets stay in the primary. */
  readonly options: GatewayOptions;
  readonly logLevel: string;
  readonly facts: Facts;
}

/** A hint of a log. The last of its events has the number `head`. */
export interface Hint {
  readonly kind: "hint";
  readonly stream: string;
  readonly head: number;
  readonly earliest: number;
  readonly events?: readonly LogEvent[] | undefined;
}

/** The calls from a worker to the primary, with their requests and answers. */
export interface Calls {
  readonly append: {
    readonly request: {
      readonly stream: string;
      readonly events: readonly NewEvent[];
      readonly options: StoreOptions | undefined;
    };
    readonly answer: Published;
  };
  /** Checks an event against the definition of its stream. */
  readonly check: { readonly request: { readonly stream: string; readonly event: NewEvent }; readonly answer: null };
  /** Opens a stream that is made on demand, and keeps it open until this worker has closed it. */
  readonly open: {
    readonly request: { readonly stream: string; readonly client: Caller | undefined };
    readonly answer: null;
  };
  /** The streams that were made on demand. */
  readonly streams: { readonly request: null; readonly answer: readonly OnDemandStream[] };
  readonly arrive: { readonly request: Arrival; readonly answer: null };
  /** Admits a connection. The answer is its place, which `release` frees. */
  readonly connect: { readonly request: Caller; readonly answer: number };
  readonly publish: { readonly request: Caller; readonly answer: null };
  readonly issue: { readonly request: TicketRequest; readonly answer: Ticket };
  readonly redeem: { readonly request: string; readonly answer: Identity };
  readonly revoke: { readonly request: string; readonly answer: null };
  /** Asks the other workers. */
  readonly ask: { readonly request: PeerCall; readonly answer: PeerAnswers };
  readonly reload: { readonly request: null; readonly answer: null };
  /** A method of {@link Diagnostics} with its argument, and what it resolves to. */
  readonly diagnose: {
    readonly request: { readonly name: keyof Diagnostics; readonly argument: number | undefined };
    readonly answer: unknown;
  };
  /** Carries a command for a delivery out. */
  readonly command: {
    readonly request: { readonly name: string; readonly command: DeliveryCommand };
    readonly answer: null;
  };
}

export type CallName = keyof Calls;

export interface Call<Name extends CallName = CallName> {
  readonly kind: "call";
  readonly id: number;
  readonly name: Name;
  readonly request: Calls[Name]["request"];
}

/** A worker's counters and resource usage. */
export interface Report {
  /** The statistics of the streams for which they have changed since the previous report. */
  readonly subscriberStats: StatsByStream;
  /** The number of refused requests by error code. */
  readonly refused: Counts;
  readonly routes: RoutesStatus;
  readonly process: ProcessStats;
}

export type Counts = Readonly<Record<string, number>>;

/** Subscriber statistics by stream name. */
export type StatsByStream = Readonly<Record<string, SubscriberStats>>;

/** The data for status endpoints and metrics that a single worker does not have. */
export interface Facts {
  /** When the primary was started, in ms since 1970. */
  readonly startedAt: number;
  readonly workers: readonly WorkerStatus[];
  /** By name. Those made on demand are summed up by their patterns; of each that is open there are only the subscribers. */
  readonly streams: Readonly<Record<string, StreamFacts>>;
  readonly onDemand: Readonly<Record<string, OnDemandStatus>>;
  /** The total over all workers, including those that have ended. */
  readonly refused: Counts;
  /** The total over all workers; the counts include workers that have ended. */
  readonly routes: RoutesStatus;
  readonly deliveries: DeliveriesStatus;
  /** All processes, with the primary first. */
  readonly processes: readonly ProcessSnapshot[];
}

export interface StreamFacts {
  /** The sums over the logs; only of a pattern. */
  readonly log?: LogState | undefined;
  /** The total over all workers, including those that have ended. */
  readonly subscriberStats: SubscriberStats;
  readonly upstream?: UpstreamStatus | undefined;
  readonly paused?: string | undefined;
  readonly transform?: StreamTransformStatus | undefined;
  readonly definition?: StreamDefinitionStatus | undefined;
  readonly ingestStats: IngestStats;
}

/** An error as sent between processes. Without `code` it is an unexpected error. */
export interface ErrorText {
  readonly code?: ErrorCode | undefined;
  readonly message: string;
  readonly field?: string | undefined;
  readonly expected?: string | undefined;
  readonly got?: string | undefined;
  readonly issues?: SpillwayError["issues"];
  readonly retryAfter?: number | undefined;
}

export function toErrorText(error: unknown): ErrorText {
  if (!(error instanceof SpillwayError)) return { message: error instanceof Error ? error.message : String(error) };
  const { code, message, field, expected, got, issues, retryAfter } = error;
  return { code, message, field, expected, got, issues, retryAfter };
}

export function toError({ code, message, ...details }: ErrorText): Error {
  return code === undefined ? new Error(message) : new SpillwayError(code, message, details);
}
