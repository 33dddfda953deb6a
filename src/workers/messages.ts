/** What the primary and its workers say to each other. */
import { SpillwayError, type ErrorCode } from "../errors.ts";
import type { GatewayOptions } from "../gateway/options.ts";
import type { Announced } from "../gateway/source.ts";
import type { Audience, ServedUpstream, ServedWorker } from "../http/served.ts";
import type { Appended, AppendOptions, LogEvent, NewEvent } from "../log/log.ts";

export type ToWorker =
  | Start
  /** To be answered with `ready`. */
  | { readonly kind: "listen" }
  | Hint
  | { readonly kind: "upstream"; readonly stream: string; readonly state: Announced }
  | { readonly kind: "appended"; readonly id: number; readonly appended: Appended }
  | { readonly kind: "refused"; readonly id: number; readonly error: ErrorText }
  /** To be answered with a report. */
  | { readonly kind: "ask" }
  | { readonly kind: "facts"; readonly id: number; readonly facts: Facts }
  /** Everything was said before: serve it, say goodbye, and end. */
  | { readonly kind: "close" };

export type ToPrimary =
  /** All is there to serve, but the door is closed. */
  | { readonly kind: "prepared" }
  | { readonly kind: "ready"; readonly host: string; readonly port: number }
  | { readonly kind: "failed"; readonly error: ErrorText }
  | AppendCall
  /** Whether anyone here needs the stream's upstream. */
  | { readonly kind: "demand"; readonly stream: string; readonly wanted: boolean }
  | { readonly kind: "report"; readonly audiences: Audiences }
  /** To be answered with the facts over all workers. */
  | { readonly kind: "gather"; readonly id: number };

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

export interface AppendCall {
  readonly kind: "append";
  readonly id: number;
  readonly stream: string;
  readonly events: readonly NewEvent[];
  readonly options: AppendOptions | undefined;
}

/** By stream. */
export type Audiences = Readonly<Record<string, Audience>>;

/** What status endpoints say that one worker cannot know by itself. */
export interface Facts {
  /** When the primary was started, ms since 1970. */
  readonly startedAt: number;
  readonly workers: readonly ServedWorker[];
  readonly streams: Readonly<Record<string, StreamFacts>>;
}

export interface StreamFacts {
  /** Over all workers, those that have ended included. */
  readonly audience: Audience;
  readonly upstream?: ServedUpstream | undefined;
  readonly paused?: string | undefined;
}

/** An error as it crosses between processes. Without a code it is none that was raised on purpose. */
export interface ErrorText {
  readonly code?: ErrorCode | undefined;
  readonly message: string;
  readonly field?: string | undefined;
  readonly expected?: string | undefined;
  readonly got?: string | undefined;
}

export function toErrorText(error: unknown): ErrorText {
  if (!(error instanceof SpillwayError)) return { message: error instanceof Error ? error.message : String(error) };
  const { code, message, field, expected, got } = error;
  return { code, message, field, expected, got };
}

export function toError({ code, message, ...details }: ErrorText): Error {
  return code === undefined ? new Error(message) : new SpillwayError(code, message, details);
}
