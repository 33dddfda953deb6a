/** The hub's public face; `create-hub.ts` holds what it does. */
import type { LogFilter } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import type { ControlEvents, ControlName } from "./control.ts";
import type { Format, IdMode } from "./format.ts";
import type { Sink, SinkListener } from "./sink.ts";
import type { CloseReason } from "./subscriber.ts";

export interface HubOptions {
  readonly ids: IdMode;
  /** Longest silence towards a subscriber, in ms. */
  readonly heartbeat: number;
  /** How long an event may wait for others to leave in one write with it, in ms. */
  readonly coalesce: number;
  /** Unsent bytes of one subscriber; beyond it, it is served from the log at its own pace. */
  readonly outbox: number;
  /** A subscriber whose socket takes nothing for this long, in ms, is cut. */
  readonly stall: number;
  readonly logger: Logger;
  /** Called with the number of subscribers whenever it changes. */
  onSubscribers?(count: number): void;
}

/** Plain counters since the hub was made; metrics read them. */
export interface HubStats {
  /** Events written to subscribers. */
  delivered: number;
  /** Subscriptions ended, by reason. */
  readonly closed: Record<CloseReason, number>;
}

export interface SubscribeRequest {
  /** Delivery starts behind this sequence number. */
  readonly position: number;
  readonly filter?: LogFilter | undefined;
  readonly format: Format["name"];
  /** Encoded already: what goes out before anything else. */
  readonly preamble: string;
  readonly sink: Sink;
}

/** Fan-out of one stream in one process: every subscriber is a cursor over the log. */
export interface Hub {
  /** The last sequence number that live subscribers get to see. */
  readonly head: number;
  readonly formats: Readonly<Record<Format["name"], Format>>;
  readonly stats: HubStats;
  /** How many subscribers there are. */
  readonly subscribers: number;
  /** What subscribers have yet to get: how many events the slowest is behind, and the unsent bytes of all. */
  backlog(): { readonly lag: number; readonly unsent: number };
  /** The id clients know a place of the log by; `undefined` where it has none. */
  idAt(seq: number): string | undefined;
  /** Starts delivery to a sink. What is returned must be told of the sink's drains and of its end. */
  subscribe(request: SubscribeRequest): SinkListener;
  /** Tells everyone something that is not an event. Subscribers that are behind do not hear of it. */
  broadcast<N extends ControlName>(name: N, data: ControlEvents[N]): void;
  /** True once it was closed: nothing more will come. */
  readonly closed: boolean;
  /** Resolves when the head is beyond `seq`, when the signal aborts, or when the hub is closed. */
  beyond(seq: number, signal: AbortSignal): Promise<void>;
  /** Says goodbye to everyone and lets them go; they are asked to come back after `retry` ms. */
  close(retry: number): void;
}
