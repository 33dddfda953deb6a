/** What the primary and its workers say to each other. */
import type { Identity } from "../../access/identity.ts";
import type { Ticket, TicketRequest } from "../../access/tickets.ts";
import { SpillwayError, type ErrorCode } from "../../errors.ts";
import type { Announced } from "../../gateway/feed.ts";
import type { GatewayOptions } from "../../gateway/options.ts";
import type { EndReason } from "../../hub/control.ts";
import type { SessionMatch } from "../../http/sessions.ts";
import type { Arrival, Caller } from "../../limits/admission.ts";
import type { ProcessStats } from "../../metrics/process-stats.ts";
import type { IngestStats, ProcessSnapshot } from "../../metrics/snapshot.ts";
import type { SubscriberStats, WorkerStatus } from "../../http/gateway-status.ts";
import type { UpstreamStatus } from "../../upstream/upstream.ts";
import type { Appended, AppendOptions, LogEvent, NewEvent } from "../../log/log.ts";

export type ToWorker =
  | Start
  /** To be answered with `ready`. */
  | { readonly kind: "listen" }
  | Hint
  | { readonly kind: "upstream"; readonly stream: string; readonly state: Announced }
  /** What came of a call. */
  | { readonly kind: "answered"; readonly id: number; readonly answer: unknown }
  | { readonly kind: "refused"; readonly id: number; readonly error: ErrorText }
  /** To be answered with a report. */
  | { readonly kind: "report-request" }
  /** Sessions are to end; to be answered with `done`. */
  | ({ readonly kind: "end"; readonly id: number } & EndCall)
  /** Other options from now on; to be answered with `done`. */
  | { readonly kind: "apply"; readonly id: number; readonly options: GatewayOptions }
  | { readonly kind: "facts"; readonly id: number; readonly facts: Facts }
  /** Everything was said before: serve it, say goodbye, and end. */
  | { readonly kind: "close" };

export type ToPrimary =
  /** All is there to serve, but the door is closed. */
  | { readonly kind: "prepared" }
  | { readonly kind: "ready"; readonly host: string; readonly port: number }
  | { readonly kind: "failed"; readonly error: ErrorText }
  | Call
  /** A connection that was let in is over. */
  | { readonly kind: "release"; readonly place: number }
  /** A ticket was used for a session here, which has this number. */
  | { readonly kind: "use"; readonly ticket: string; readonly number: number }
  /** An order was obeyed; where sessions were to end, so many were. */
  | { readonly kind: "done"; readonly id: number; readonly count: number }
  /** Whether anyone here needs the stream's upstream. */
  | { readonly kind: "demand"; readonly stream: string; readonly wanted: boolean }
  | ({ readonly kind: "report" } & Report)
  /** To be answered with the facts over all workers. */
  | { readonly kind: "facts-request"; readonly id: number };

/** The first message to a worker: all that it has to know, but for what only the primary needs. */
export interface Start {
  readonly kind: "start";
  /** Counts the workers from 1; a replacement has the number of the one that it replaces. */
  readonly number: number;
  /** Without any upstream: its secrets stay in one process. */
  readonly options: GatewayOptions;
  readonly logLevel: string;
  readonly facts: Facts;
}

/** A log's hint. The numbers of its events end with `head`. */
export interface Hint {
  readonly kind: "hint";
  readonly stream: string;
  readonly head: number;
  readonly earliest: number;
  readonly events?: readonly LogEvent[] | undefined;
}

/** What a worker asks the primary for, and what it gets. */
export interface Calls {
  readonly append: {
    readonly request: {
      readonly stream: string;
      readonly events: readonly NewEvent[];
      readonly options: AppendOptions | undefined;
    };
    readonly answer: Appended;
  };
  readonly arrive: { readonly request: Arrival; readonly answer: null };
  /** To let a connection in; answered with its place, which is given back with `release`. */
  readonly connect: { readonly request: Caller; readonly answer: number };
  readonly publish: { readonly request: Caller; readonly answer: null };
  readonly issue: { readonly request: TicketRequest; readonly answer: Ticket };
  readonly redeem: { readonly request: string; readonly answer: Identity };
  /** To end sessions in the other workers; answered with their number. */
  readonly end: { readonly request: EndCall; readonly answer: number };
  readonly reload: { readonly request: null; readonly answer: null };
}

export type CallName = keyof Calls;

export interface Call<Name extends CallName = CallName> {
  readonly kind: "call";
  readonly id: number;
  readonly name: Name;
  readonly request: Calls[Name]["request"];
}

export interface EndCall {
  readonly match: SessionMatch;
  readonly reason: EndReason;
}

/** What a worker counts and uses. */
export interface Report {
  /** Of the streams where they have changed since the report before. */
  readonly subscriberStats: StatsByStream;
  /** Requests refused, by the code of the error. */
  readonly refused: Counts;
  readonly process: ProcessStats;
}

export type Counts = Readonly<Record<string, number>>;

/** By stream. */
export type StatsByStream = Readonly<Record<string, SubscriberStats>>;

/** What status endpoints say that one worker cannot know by itself. */
export interface Facts {
  /** When the primary was started, ms since 1970. */
  readonly startedAt: number;
  readonly workers: readonly WorkerStatus[];
  readonly streams: Readonly<Record<string, StreamFacts>>;
  /** Over all workers, those that have ended included. */
  readonly refused: Counts;
  /** The primary first. */
  readonly processes: readonly ProcessSnapshot[];
}

export interface StreamFacts {
  /** Over all workers, those that have ended included. */
  readonly subscriberStats: SubscriberStats;
  readonly upstream?: UpstreamStatus | undefined;
  readonly paused?: string | undefined;
  readonly ingestStats: IngestStats;
}

/** An error as it crosses between processes. Without a code it is none that was raised on purpose. */
export interface ErrorText {
  readonly code?: ErrorCode | undefined;
  readonly message: string;
  readonly field?: string | undefined;
  readonly expected?: string | undefined;
  readonly got?: string | undefined;
  readonly retryAfter?: number | undefined;
}

export function toErrorText(error: unknown): ErrorText {
  if (!(error instanceof SpillwayError)) return { message: error instanceof Error ? error.message : String(error) };
  const { code, message, field, expected, got, retryAfter } = error;
  return { code, message, field, expected, got, retryAfter };
}

export function toError({ code, message, ...details }: ErrorText): Error {
  return code === undefined ? new Error(message) : new SpillwayError(code, message, details);
}
