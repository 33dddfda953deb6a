import type { FetchOptions } from "../adapters/fetch/handler.ts";
import type { NodeHandler, NodeOptions } from "../adapters/node/handler.ts";
import type { UpgradeHandler } from "../adapters/node/upgrade.ts";
import type { StreamDefinition } from "../events/definition.ts";
import type { DeliveriesStatus, GatewayStatus } from "../http/gateway-status.ts";
import type { DeliveredEvent } from "../hub/format.ts";
import type { RunProducer } from "../runs/produce.ts";
import type { EventInput, GatewayStream, PublishOptions, Subscribers, TypedStream } from "./gateway-stream.ts";
import type { GatewayRun, GatewayRunOptions } from "./library-runs.ts";
import type { SubscribeOptions } from "./subscribe.ts";

export type { GatewayRun, GatewayRunOptions } from "./library-runs.ts";
export type { RunEvent, RunProducer } from "../runs/produce.ts";
export type { RunStatus } from "../runs/run-requests.ts";
export type { ConnectedClient } from "../http/clients.ts";
export type { ClientConnection, ConnectionHooks, EndedConnection } from "../http/connection-hooks.ts";
export type {
  DeliveriesStatus,
  DeliveryStatus,
  GatewayStatus,
  RoutesStatus,
  RouteStatus,
  RunsStatus,
  SharedStatus,
  StatusClass,
  StreamDefinitionStatus,
  StreamStatus,
  StreamTransformStatus,
  StreamUpstreamStatus,
  TargetCounts,
  TargetErrorCode,
  TargetStatus,
  TransformErrorCode,
  WorkerStatus,
} from "../http/gateway-status.ts";

/** A running gateway. */
export interface Gateway {
  /**
   * The handler for `node:http`, `node:http2` and Express-like frameworks. `options` may differ for each request:
   * creating a handler costs nothing.
   */
  node(options?: NodeOptions): NodeHandler;
  /**
   * The listener for the event `upgrade` of a `node:http` server, for routes with `websocket`. `listen()` needs none.
   */
  upgrade(options?: NodeOptions): UpgradeHandler;
  /**
   * Answers a Fetch request. A text as the second argument is the option `mount`: the path below which the gateway is
   * mounted, such as `/live`.
   */
  fetch(request: Request, options?: string | FetchOptions): Promise<Response>;
  /**
   * Appends all events or none, and resolves to their ids once they are durable. A transform of the stream determines
   * what is appended, and how many events.
   * @throws {SpillwayError} `stream-unknown`, `request-invalid`; `event-invalid` for events that do not match the stream's
   * definition; `idempotency-conflict` for a key that was used with
   * other events; a `store-…` or `transform-…` code: nothing was appended; `append-unknown`: the events may have been
   * appended, and only a retry with the same `idempotencyKey` is sure not to append them twice.
   */
  publish(stream: string, events: EventInput | readonly EventInput[], options?: PublishOptions): Promise<string[]>;
  /**
   * Follows a stream inside the process.
   * @throws {SpillwayError} `stream-unknown`; the iterator throws `filter-invalid`.
   */
  subscribe(stream: string, options?: SubscribeOptions): AsyncIterable<DeliveredEvent>;
  /**
   * A stream with its clients: `const prices = gateway.stream("prices")`. With a definition, its events are typed.
   * @throws {SpillwayError} `stream-unknown`; `config-invalid` if the stream has no definition in the configuration.
   */
  stream<Definition extends StreamDefinition>(definition: Definition): TypedStream<Definition>;
  stream(name: string): GatewayStream;
  /**
   * Starts the gateway's own server on the configured address. Idempotent.
   * @throws {SpillwayError} `listen-failed`, after which you may call it again; `shutting-down`
   */
  listen(): Promise<{ readonly host: string; readonly port: number }>;
  /** The state of the gateway with all streams, as in `GET /status`. */
  status(): GatewayStatus;
  /**
   * Starts a run whose events the program makes, or finds the one with the same key. Clients join it again at
   * `/runs/<id>`, like those that a request has started.
   * @throws {SpillwayError} `idempotency-conflict`; `too-many-runs`; `shutting-down`; a `store-…` code.
   */
  run(options: GatewayRunOptions, producer: RunProducer): Promise<GatewayRun>;
  /** The webhooks that the gateway sends. */
  readonly deliveries: GatewayDeliveries;
  /**
   * The number of subscribers of a stream in this process, in total and by channel.
   * @throws {SpillwayError} `stream-unknown`
   */
  subscribers(stream: string): Subscribers;
  /**
   * Reads the configuration again and applies the changes. Unaffected clients stay connected.
   * @throws {SpillwayError} `config-invalid`, `restart-required`, or an error of opening a new stream, in which case
   * nothing has changed; `shutting-down`; `not-found` if the gateway has no configuration to reload.
   */
  reload(): Promise<void>;
  /**
   * Ends the subscriptions, long polls and forwarded requests, and refuses new ones with `shutting-down` from then on;
   * everything else keeps working. For servers that wait for their responses before they stop: call `close()`
   * afterwards. Resolves when clients have been sent their last event, at the latest after the option `drain`.
   * Idempotent.
   */
  drain(): Promise<void>;
  /**
   * Shuts down: stops accepting requests and ingesting, ends the subscriptions as `drain()` does, and closes the log.
   * Idempotent.
   */
  close(): Promise<void>;
}

/** What adapters of frameworks need of a gateway; also a lazy gateway has it. */
export type EmbeddedGateway = Pick<Gateway, "node" | "fetch" | "publish" | "run" | "subscribe" | "drain" | "close">;

/**
 * The deliveries of a gateway. The methods with a name resolve when the command was carried out, also if the delivery
 * runs on another node; if that node does not answer, it is carried out later.
 * @throws {SpillwayError} `delivery-unknown`; a `store-…` code.
 */
export interface GatewayDeliveries {
  /** The state of all deliveries, by name. */
  status(): DeliveriesStatus;
  /** Sends nothing until `resume`, also after a restart. */
  pause(name: string): Promise<void>;
  /** Sends again, also after the endpoint has answered 410, and retries at once what waits. */
  resume(name: string): Promise<void>;
  /** Sends the dead letters again. Those that fail become new dead letters. */
  retry(name: string): Promise<void>;
}
