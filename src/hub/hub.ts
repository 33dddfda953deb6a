/** The hub's public face; `create-hub.ts` holds what it does. */
import type { LogFilter } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import type { ByeReason, ControlEvents, ControlName, EndReason } from "./control.ts";
import type { Format, IdMode } from "./format.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { SinkListener } from "./sink.ts";
import type { CloseReason, SubscriberParts } from "./subscriber.ts";

export interface HubOptions {
  readonly ids: IdMode;
  readonly heartbeat: Heartbeat;
  /** How long an event may wait for others to leave in one write with it, in ms. */
  readonly coalesce: number;
  /** Unsent bytes of one subscriber; beyond it, it is served from the log at its own pace. */
  readonly outbox: number;
  /** A subscriber whose socket takes nothing for this long, in ms, is cut. */
  readonly stall: number;
  /** How many events of the log's end are read at the start, for clients that reconnect; at most. */
  readonly warmUp: number;
  readonly logger: Logger;
  /** Called with the number of subscribers whenever it changes. */
  onSubscribers?(count: number): void;
}

/** Plain counters since the hub was made; metrics read them. */
export interface SubscriberStats {
  /** Events written to subscribers. */
  delivered: number;
  /** Bytes of them, framing included. */
  sentBytes: number;
  /** Events of these that were read for subscribers that were behind. */
  replayed: number;
  /** Holes that were announced to subscribers. */
  gaps: number;
  /** Subscriptions ended, by reason. */
  readonly closed: Record<CloseReason, number>;
}

export interface SubscribeRequest extends SubscriberParts {
  readonly filter?: LogFilter | undefined;
  readonly format: Format["name"];
  /** Encoded text that is sent first. */
  readonly preamble: string;
}

/** A subscription, as its adapter and the code that may end it see it. */
export interface Subscription extends SinkListener {
  /** Ends the subscription with a final event that says why. */
  end(reason: EndReason): void;
}

/** How a hub drains its subscribers. */
export interface DrainPlan {
  readonly reason: ByeReason;
  /** Over how long, in ms. */
  readonly over: number;
  /** Bounds of the reconnect delays, in ms: each client is given a random one. */
  readonly retry: readonly [min: number, max: number];
}

/** Fan-out of one stream in one process: every subscriber is a cursor over the log. */
export interface Hub {
  /** The last sequence number that live subscribers get to see. */
  readonly head: number;
  readonly formats: Readonly<Record<Format["name"], Format>>;
  readonly stats: SubscriberStats;
  /** How many subscribers there are. */
  readonly subscribers: number;
  /** The number of subscribers by each channel name and pattern in their filters. */
  subscribersByChannel(): ReadonlyMap<string, number>;
  /** How many events the slowest subscriber is behind, and the unsent bytes of all. */
  backlog(): { readonly lag: number; readonly unsent: number };
  /**
   * The id that a client without a filter resumes with at a place of the log: at the head that of its event, where the upstream's ids are
   * passed on; else the cursor.
   */
  idAt(seq: number): string;
  /** Starts delivery to a sink. The returned listener must be notified of the sink's drains and of its end. */
  subscribe(request: SubscribeRequest): Subscription;
  /** Sends all subscribers at the head something that is not an event of the stream. */
  broadcast<N extends ControlName>(name: N, data: ControlEvents[N]): void;
  /** True once it was closed: nothing more will come. */
  readonly closed: boolean;
  /**
   * Waits until the head is beyond `seq`, and for an event that matches the filter if it is not; until the signal aborts, or the hub is
   * closed. Resolves to the number before that event, or to `undefined` where nothing is known of what lies behind `seq`.
   */
  waitBeyond(seq: number, signal: AbortSignal, filter?: LogFilter): Promise<number | undefined>;
  /** Drains all subscribers gradually; resolves when the last one was sent its final event. */
  close(plan: DrainPlan): Promise<void>;
}
