import { toFetchHandler } from "../adapters/fetch/handler.ts";
import { toNodeHandler } from "../adapters/node/handler.ts";
import { toUpgradeHandler } from "../adapters/node/upgrade.ts";
import { SpillwayError, type ErrorCode } from "../errors.ts";
import type { StreamDefinition } from "../events/definition.ts";
import type { Clients, PeerCalls } from "../http/clients.ts";
import type { DeliveriesControl, DeliveryCommand, GatewayContext, ServedStream } from "../http/gateway-context.ts";
import type { RoutesStatus } from "../http/gateway-status.ts";
import { createHandler, noteRefusal } from "../http/handler.ts";
import { idsOf, libraryKey, whileHeld } from "../http/publish.ts";
import { toEvent } from "../http/publish-body.ts";
import { findForwarded } from "../http/routes.ts";
import { createSessions } from "../http/sessions.ts";
import { describe } from "../http/status.ts";
import type { IdMode } from "../hub/format.ts";
import type { NewEvent } from "../log/log.ts";
import { createContext, createGates, watchPressure, type GatewayParts } from "./create-context.ts";
import { createForwarding } from "./forwarding.ts";
import type { Gateway, GatewayDeliveries } from "./gateway.ts";
import {
  createGatewayStream,
  type EventInput,
  type GatewayStream,
  type PublishOptions,
  type Subscribers,
  type TypedStream,
} from "./gateway-stream.ts";
import { runInLibrary } from "./library-runs.ts";
import type { GatewayOptions } from "./options.ts";
import { createPolicy } from "./policy.ts";
import { startServer, type GatewayServer } from "./server.ts";
import { createShutdown, type Shutdown } from "./shutdown.ts";
import { iterate } from "./subscribe.ts";

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

function toEvents(events: EventInput | readonly EventInput[], ids: IdMode): NewEvent[] {
  const list = Array.isArray(events) ? (events as readonly EventInput[]) : [events];
  return list.map((event, i) => toEvent(event, `events[${i}]`, ids));
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
