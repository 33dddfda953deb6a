import { toFetchHandler, type FetchOptions } from "../adapters/fetch/handler.ts";
import { toNodeHandler, type NodeHandler, type NodeOptions } from "../adapters/node/handler.ts";
import { toUpgradeHandler, type UpgradeHandler } from "../adapters/node/upgrade.ts";
import { SpillwayError, type ErrorCode } from "../errors.ts";
import type { StreamDefinition } from "../events/definition.ts";
import type { DeliveredEvent, IdMode } from "../hub/format.ts";
import { idsOf, libraryKey, whileHeld } from "../http/publish.ts";
import { toEvent } from "../http/publish-body.ts";
import { createHandler, noteRefusal } from "../http/handler.ts";
import type { Clients, PeerCalls } from "../http/clients.ts";
import type { DeliveriesControl, DeliveryCommand, GatewayContext, ServedStream } from "../http/gateway-context.ts";
import type { DeliveriesStatus, GatewayStatus, RoutesStatus } from "../http/gateway-status.ts";
import { findForwarded } from "../http/routes.ts";
import { createSessions } from "../http/sessions.ts";
import { describe } from "../http/status.ts";
import type { NewEvent } from "../log/log.ts";
import { runInLibrary, type GatewayRun, type GatewayRunOptions } from "./library-runs.ts";
import type { RunProducer } from "../runs/produce.ts";
import type { GatewayOptions } from "./options.ts";
import { createPolicy } from "./policy.ts";
import { createContext, createGates, watchPressure, type GatewayParts } from "./create-context.ts";
import { createForwarding } from "./forwarding.ts";
import {
  createGatewayStream,
  type EventInput,
  type GatewayStream,
  type PublishOptions,
  type Subscribers,
  type TypedStream,
} from "./gateway-stream.ts";
import { createShutdown, type Shutdown } from "./shutdown.ts";
import { startServer, type GatewayServer } from "./server.ts";
import { iterate, type SubscribeOptions } from "./subscribe.ts";

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

/** The gateway with the members that only the process running it needs. */
export interface RunningGateway extends Gateway {
  /** What other processes may ask this one. */
  readonly peerCalls: PeerCalls;
  /** The number of requests that this process has refused, by error code. */
  readonly refused: GatewayContext["refused"];
  /** The memory budget for request bodies in this process. */
  readonly bodies: GatewayContext["bodies"];
  /** The state of the routes in this process. */
  routes(): RoutesStatus;
}

function toEvents(events: EventInput | readonly EventInput[], ids: IdMode): NewEvent[] {
  const list = Array.isArray(events) ? (events as readonly EventInput[]) : [events];
  return list.map((event, i) => toEvent(event, `events[${i}]`, ids));
}

/** Assembles a gateway around running streams, and adds its parts to `reconfigurable`. */
export function assembleGateway(initial: GatewayOptions, parts: GatewayParts): RunningGateway {
  const { streams, logger, tickets } = parts;
  let options = initial;
  let policy = createPolicy(options, tickets, logger);
  const sessions = createSessions(logger, parts.hooks);
  const pressure = watchPressure(options.limits, logger);
  const gates = createGates(options.limits);
  const forwarding = createForwarding(options, () => policy, parts);
  let server: Promise<GatewayServer> | undefined;
  const shutdown = createShutdown({
    sessions,
    forwarding,
    options: () => options,
    streams: () => [...streams.values(), ...parts.onDemand.open(), ...parts.shared.all()],
    server: async () => server?.catch(() => undefined),
    endIngest: parts.endIngest,
    pressure,
    end: parts.end,
  });
  const context = createContext(parts, {
    sessions,
    ...gates,
    pressure,
    forwarding,
    routes: parts.routes ?? forwarding.stats,
    options: () => options,
    policy: () => policy,
    shutdown,
  });
  const handler = createHandler(context);

  parts.reconfigurable.add(
    // The only part that can throw: `config-invalid` for options that it cannot apply.
    (next) => void (policy = createPolicy(next, tickets, logger, policy)),
    (next) => void (options = next),
    (next) => forwarding.apply(next),
    ({ limits }) => pressure.change(limits),
    (next) => void server?.then((running) => running.apply(next)).catch(() => {}),
    ({ limits }) => gates.change(limits),
    () => tickets.review((holder) => policy.access.review(holder)),
    () => sessions.review(policy.access),
  );

  const find = (name: string): ServedStream | Promise<ServedStream> => findStream(parts, name);

  const gateway: RunningGateway = {
    node: (nodeOptions) => toNodeHandler(handler, nodeOptions),
    upgrade: (nodeOptions) => toUpgradeHandler(toNodeHandler(handler, nodeOptions)),
    fetch: (request, given) => toFetchHandler(handler, typeof given === "string" ? { mount: given } : given)(request),
    publish: async (name, events, publishOptions) => publishTo(await find(name), events, publishOptions),
    subscribe(name, subscribeOptions = {}) {
      assertKnown(name, parts);
      return iterate(() => find(name), subscribeOptions);
    },
    stream: createStreamMember(parts, () => gateway, context.clients),
    async listen() {
      if (shutdown.draining) throw new SpillwayError("shutting-down");
      server ??= startOwnServer(context, options);
      try {
        return (await server).address;
      } catch (error) {
        server = undefined;
        throw error;
      }
    },
    status: () => describe(context),
    run: async (run, producer) => runInLibrary(run, producer, await parts.runs.open(), context),
    deliveries: createDeliveriesMember(parts.deliveries, () => shutdown.closing),
    subscribers: (name) => subscribersOf(name, parts),
    reload: () => reloadGateway(parts, shutdown),
    peerCalls: context.peerCalls,
    refused: context.refused,
    bodies: context.bodies,
    routes: forwarding.stats,
    drain: shutdown.drain,
    close: shutdown.close,
  };
  return gateway;
}

async function reloadGateway({ reload }: GatewayParts, { draining }: Shutdown): Promise<void> {
  if (draining) throw new SpillwayError("shutting-down");
  if (!reload) throw new SpillwayError("not-found", "this gateway has no configuration to reload");
  await reload();
}

function createStreamMember(
  parts: Pick<GatewayParts, "streams" | "onDemand">,
  gateway: () => Gateway,
  clients: Clients,
): Gateway["stream"] {
  function stream<Definition extends StreamDefinition>(definition: Definition): TypedStream<Definition>;
  function stream(name: string): GatewayStream;
  function stream(wanted: string | StreamDefinition): unknown {
    const name = typeof wanted === "string" ? wanted : wanted.name;
    assertKnown(name, parts);
    const served = (): ServedStream | undefined => parts.streams.get(name);
    if (typeof wanted === "string") return createGatewayStream(name, gateway(), clients, served);
    if (served()?.definition()) return createGatewayStream(name, gateway(), clients, served, wanted);
    const field = `streams.${name}.definition`;
    throw new SpillwayError("config-invalid", `${field}: expected a definition, got none`, { field });
  }
  return stream;
}

function createDeliveriesMember(deliveries: DeliveriesControl, isClosed: () => boolean): GatewayDeliveries {
  const bind =
    (command: DeliveryCommand) =>
    async (name: string): Promise<void> => {
      if (isClosed()) throw new SpillwayError("shutting-down");
      await deliveries.command(name, command);
    };
  return { status: () => deliveries.status(), pause: bind("pause"), resume: bind("resume"), retry: bind("retry") };
}

function publishTo(
  stream: ServedStream,
  events: EventInput | readonly EventInput[],
  { idempotencyKey }: PublishOptions = {},
): Promise<string[]> {
  return whileHeld(stream, async () => {
    const list = toEvents(events, stream.ids);
    const idempotency = idempotencyKey === undefined ? undefined : libraryKey(idempotencyKey, list);
    return idsOf(stream, list, await stream.append(list, { idempotency, strict: true }));
  });
}

/** A stream that is not open has no subscribers. */
function subscribersOf(name: string, parts: Pick<GatewayParts, "streams" | "onDemand">): Subscribers {
  assertKnown(name, parts);
  const { hub } = parts.streams.get(name) ?? parts.onDemand.open().find((stream) => stream.name === name) ?? {};
  return { total: hub?.subscribers ?? 0, byChannel: Object.fromEntries(hub?.subscribersByChannel() ?? []) };
}

function findStream({ streams, onDemand }: GatewayParts, name: string): ServedStream | Promise<ServedStream> {
  const stream = streams.get(name) ?? onDemand.obtain(name);
  if (!stream) throw unknownStream(name);
  return stream;
}

/** @throws {SpillwayError} `stream-unknown` if there is no such stream, and none can be made. */
function assertKnown(name: string, { streams, onDemand }: Pick<GatewayParts, "streams" | "onDemand">): void {
  if (!streams.has(name) && !onDemand.matches(name)) throw unknownStream(name);
}

function unknownStream(name: string): SpillwayError {
  return new SpillwayError("stream-unknown", `no stream "${name}"`, { field: "stream", got: name });
}

function startOwnServer(context: GatewayContext, options: GatewayOptions): Promise<GatewayServer> {
  const onRefused = (code: ErrorCode): void => noteRefusal(context, code);
  return startServer(createHandler(context, "own server"), options, {
    logger: context.logger,
    onRefused,
    findForwarded: (path) => findForwarded(path, context),
  });
}
