/** The interface of a hub; `create-hub.ts` implements it. */
import type { LogFilter } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import type { ByeReason, ControlEvents, ControlName, EndReason } from "./control.ts";
import type { Format, IdMode } from "./format.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { SinkListener } from "./sink.ts";
import type { CloseReason, SubscriberParts, SubscriptionProgress } from "./subscriber.ts";

export interface HubOptions {
  readonly ids: IdMode;
  /** What all subscribers get, whatever format they ask for. Default: the usual formats. */
  readonly format?: Format | undefined;
  readonly heartbeat: Heartbeat;
  /** How long an event may be held back to be written together with later ones, in ms. */
  readonly coalesce: number;
  /** The limit of unsent bytes of a subscriber. Beyond it, the subscriber is served from the log at its own pace. */
  readonly outbox: number;
  /** A subscriber whose socket accepts no bytes for this long, in ms, is cut. */
  readonly stall: number;
  /** How many of the log's last events are read at the start at most, for clients that reconnect. */
  readonly warmUp: number;
  readonly logger: Logger;
  /** Called with the number of subscribers whenever it changes. */
  onSubscribers?(count: number): void;
}

/** Counters since the hub was created. Metrics read them. */
export interface SubscriberStats {
  /** Events written to subscribers. */
  delivered: number;
  /** The bytes of these events, including framing. */
  sentBytes: number;
  /** How many of these events were written to subscribers that were behind. */
  replayed: number;
  /** Gaps that were announced to subscribers. */
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

/** A subscription, for its adapter and for code that ends it. */
export interface Subscription extends SinkListener {
  /** Ends the subscription with a final event that states the reason. */
  end(reason: EndReason): void;
  /** Sends an event that is not part of the log; false if the client has left, or its sink is full. */
  sendEvent(event: string, data: string): boolean;
  progress(): SubscriptionProgress;
}

/** How a hub drains its subscribers. */
export interface DrainPlan {
  readonly reason: ByeReason;
  /** The time over which subscribers are disconnected, in ms. */
  readonly over: number;
  /** The bounds of the reconnect delays, in ms. Each client gets a random delay between them. */
  readonly retry: readonly [min: number, max: number];
  /** How long clients may take to read what was sent to them, from the start of the drain, in ms; then they are cut. */
  readonly grace: number;
}

/** Fan-out of one stream in one process: every subscriber is a cursor over the log. */
export interface Hub {
  /** The last sequence number that the hub knows. */
  readonly head: number;
  readonly formats: Readonly<Record<Format["name"], Format>>;
  readonly stats: SubscriberStats;
  /** The number of subscribers. */
  readonly subscribers: number;
  /** The number of subscribers by each channel name and pattern in their filters. */
  subscribersByChannel(): ReadonlyMap<string, number>;
  /** How many events the slowest subscriber is behind, and the unsent bytes of all subscribers. */
  backlog(): { readonly lag: number; readonly unsent: number };
  /**
   * The id with which a client without a filter resumes at a position: at the head, the event's own id if clients get
   * such ids; otherwise the cursor.
   */
  idAt(seq: number): string;
  /** Starts delivery to a sink. The returned listener must be notified of the sink's drains and of its end. */
  subscribe(request: SubscribeRequest): Subscription;
  /** Sends a control event to all subscribers, except those with a full sink. */
  broadcast<N extends ControlName>(name: N, data: ControlEvents[N]): void;
  /** True once the hub is closed. It delivers no more events then. */
  readonly closed: boolean;
  /**
   * Returns at once if the head is beyond `seq`. Otherwise waits for an event that matches the filter, until the signal
   * aborts or the hub closes. Resolves to the number before that event, or to `undefined` if nothing is known about
   * events after `seq`.
   */
  waitBeyond(seq: number, signal: AbortSignal, filter?: LogFilter): Promise<number | undefined>;
  /**
   * Disconnects all present subscribers gradually; resolves when the last one has been sent its final event. The hub
   * keeps delivering until then, and to others.
   */
  drain(plan: DrainPlan): Promise<void>;
  /** Delivers no more events, and drains all subscribers. */
  close(plan: DrainPlan): Promise<void>;
}
