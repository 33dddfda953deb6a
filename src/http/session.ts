import type { Identity, SubscriberRight } from "../access/identity.ts";
import type { EndReason } from "../hub/control.ts";
import type { CloseReason, Subscriber, SubscriptionOwner, SubscriptionProgress } from "../hub/subscriber.ts";
import type { LogFilter } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import type { ClientIds } from "./client-ids.ts";
import { callHook, patternsOf, type ClientConnection, type ConnectionHooks } from "./connection-hooks.ts";
import type { RequestedFilter } from "./filter.ts";

/** A client that is being served: a subscription, or a waiting long poll. */
export interface SessionParts {
  readonly identity: Identity;
  readonly address: string | undefined;
  readonly stream: string;
  /** The right that the client needs. */
  readonly right: SubscriberRight;
  /** The requested filter, before it was narrowed to the grant. */
  readonly asked: RequestedFilter | undefined;
  /** When the server ends the session, in ms since 1970; `Infinity` if never. */
  readonly endsAt: number;
  /** Frees the client's place in the connection limits. */
  readonly release: () => void;
}

/** The response of a session. */
export interface SessionTarget {
  /** Called when the server must end the session. */
  end(reason: EndReason): void;
  /** Sends an event that is not part of the log; false if it cannot take it. Absent for a long poll. */
  sendEvent?(event: string, data: string): boolean;
  /** How far the subscription is. Absent for a long poll. */
  progress?(): SubscriptionProgress;
}

/** What a session needs of its process. */
export interface SessionHost {
  close(session: Session): void;
  readonly ids: ClientIds;
  readonly hooks: ConnectionHooks;
  readonly logger: Logger;
}

/** The state of a client that is being served. */
export class Session implements SubscriptionOwner {
  identity: Identity;
  /** The session's number in this process. */
  readonly number: number;
  readonly parts: SessionParts;
  /** In ms since 1970. It does not decrease with `number`. */
  readonly startedAt: number;
  /** Set when the session begins. */
  target: SessionTarget | undefined;
  /** Frees its place among the concurrent replays. */
  leaveReplay: (() => void) | undefined;
  /** The argument of the hooks, if there are any. */
  #connection: ClientConnection | undefined;
  readonly #host: SessionHost;

  constructor(number: number, parts: SessionParts, startedAt: number, host: SessionHost) {
    this.number = number;
    this.identity = parts.identity;
    this.parts = parts;
    this.startedAt = startedAt;
    this.#host = host;
    const { address, stream } = parts;
    host.logger.debug({ subject: parts.identity.subject, address, stream }, "subscription began");
  }

  /** The id of the connection, for the client and for administrators. */
  get client(): string {
    return this.#host.ids.idOf(this.number);
  }

  /** When its credential expires, in ms since 1970. */
  get expiresAt(): number {
    return this.identity.expiresAt ?? Infinity;
  }

  /** Calls the hook for a new subscription. From then on, its end is also reported. */
  announce(filter: LogFilter | undefined): void {
    const { hooks, logger } = this.#host;
    if (!hooks.onConnect && !hooks.onDisconnect) return;
    this.#connection = this.describe(filter);
    callHook(hooks.onConnect, this.#connection, logger);
  }

  describe(filter: LogFilter | undefined): ClientConnection {
    const { address, stream } = this.parts;
    return { client: this.client, stream, filter: patternsOf(filter), subject: this.identity.subject, address };
  }

  /** Ends the response for a reason that the client is told. */
  stop(reason: EndReason): void {
    this.target?.end(reason);
  }

  onLive(): void {
    this.leaveReplay?.();
    this.leaveReplay = undefined;
  }

  onEnd(reason: CloseReason, { events, sink }: Subscriber): void {
    this.close();
    const { address, stream } = this.parts;
    const duration = Date.now() - this.startedAt;
    const { subject } = this.identity;
    const { hooks, logger } = this.#host;
    logger.info({ subject, address, stream, duration, events, bytes: sink.sent, reason }, "subscription ended");
    const connection = this.#connection;
    if (connection)
      callHook(hooks.onDisconnect, { ...connection, subject, reason, duration, events, bytes: sink.sent }, logger);
  }

  /** Ends the session. Idempotent. */
  close(): void {
    this.onLive();
    this.parts.release();
    this.#host.close(this);
  }
}
