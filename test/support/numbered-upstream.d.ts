import type { IncomingHttpHeaders } from "node:http";

/** How a connection is given up: in order, by a reset, or in the middle of an event. */
export type DropMode = "end" | "reset" | "half";

export interface NumberedOptions {
  /** The number of the last event ever. Default: none. */
  total: number;
  /** Events made per second. Default 0: only on demand. */
  rate: number;
  /** Every n-th event has an id. Default 1; 0: none has, and a connection starts with what is made from then on. */
  idEvery: number;
  /** Where a resumed connection starts: behind the id, at it, or `earlier` events before that. Default `exclusive`. */
  resume: "exclusive" | "inclusive" | "earlier";
  /** How many events come again with `resume: "earlier"`. Default 5. */
  earlier: number;
  /** The query parameter with the id. Default: the `Last-Event-ID` header. */
  parameter: string | undefined;
  /** The event type. Default: none. */
  event: string | undefined;
  /** Bytes added to each event's data, as `p`. Default 0. */
  padding: number;
  /** Sent as the `retry` line of every connection, in ms. Default: none. */
  retry: number | undefined;
  /** Gives a connection up after so many events. Default 0: never. */
  dropEvery: number;
  /** How. Default `end`. */
  dropMode: DropMode;
  /** PEM texts, to listen with TLS. */
  tls: { key: string; cert: string } | undefined;
  /** Default: a free one. */
  port: number;
}

/** An answer other than the numbered stream. */
export interface ScriptedResponse {
  /** Says nothing at all. */
  hang?: boolean;
  /** Default 200. */
  status?: number;
  /** Default: those of an event stream. */
  headers?: Record<string, string>;
  /** Text, or bytes. */
  body?: string | readonly number[];
  /** Sends this text again and again, as fast as it is taken. */
  flood?: string;
  /** What comes after `body`. Default `end`. */
  then?: "end" | "reset" | "silence";
}

/** What `control` and `POST /control` take. */
export interface NumberedControl {
  /** Makes so many events. */
  emit?: number;
  /** Changes options. */
  set?: Partial<NumberedOptions>;
  /** Answers for the next requests, one each. */
  next?: ScriptedResponse[];
  /** The answer for all others; `null`: the numbered stream again. */
  always?: ScriptedResponse | null;
  /** Sends a comment on the streams that are open. */
  comment?: string;
  /** Gives up the streams that are open. */
  drop?: DropMode;
}

/** One request, as it was received. */
export interface ConnectionRecord {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly query: Readonly<Record<string, string>>;
  readonly body: string;
  /** Events sent on it. */
  readonly sent: number;
  /** In ms of `performance.now()`. */
  readonly opened: number;
  readonly closed: number | undefined;
}

/** What `state` and `GET /state` answer. */
export interface NumberedState {
  /** The number of the last event made. */
  readonly last: number;
  /** Streams open now. */
  readonly open: number;
  /** TCP connections open now. */
  readonly sockets: number;
  /** The maximum number of requests open at once. */
  readonly maxOpen: number;
  /** All requests, in order. */
  readonly connections: readonly ConnectionRecord[];
}

export interface NumberedUpstream {
  /** Where the events are. Any other path but `/state` and `/control` will do as well. */
  readonly url: string;
  readonly origin: string;
  state(): NumberedState;
  control(change: NumberedControl): void;
  /** Closes every connection and stops listening. */
  close(): Promise<void>;
}

/** Starts a source on 127.0.0.1. */
export function startNumberedUpstream(options?: Partial<NumberedOptions>): Promise<NumberedUpstream>;
