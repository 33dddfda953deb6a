import { toFetchHandler } from "../adapters/fetch.ts";
import { toNodeHandler, type NodeHandler } from "../adapters/node.ts";
import { SpillwayError } from "../errors.ts";
import type { DeliveredEvent } from "../hub/format.ts";
import { idsOf } from "../http/publish.ts";
import { toEvent } from "../http/publish-body.ts";
import { createHandler } from "../http/routes.ts";
import type { Served, ServedStream } from "../http/served.ts";
import { describe } from "../http/status.ts";
import type { Logger } from "../util/logger.ts";
import type { GatewayOptions } from "./options.ts";
import { startServer, type GatewayServer } from "./server.ts";
import { iterate, type SubscribeOptions } from "./subscribe.ts";
import { version } from "./version.ts";

/** An event to publish. */
export interface PublishedEvent {
  /** Text, or a value that is published as its JSON text. */
  readonly data: unknown;
  /** The type. Default `message`. */
  readonly event?: string | undefined;
  readonly channel?: string | undefined;
  /** An id of the publisher's own, kept as `upstreamId`. */
  readonly id?: string | undefined;
}

/** A running gateway. */
export interface Gateway {
  /** The handler for `node:http`, `node:http2` and Express-like frameworks. */
  node(): NodeHandler;
  /** Answers a Fetch request. `mount` is the path below which the gateway lives, such as `/live`. Default: the root. */
  fetch(request: Request, mount?: string): Promise<Response>;
  /**
   * Appends events, whole or not at all, and resolves to their ids once they are durable.
   * @throws {SpillwayError} `stream-unknown`, `request-invalid`, or a `store-…` code after which the same call may be made again.
   */
  publish(stream: string, events: PublishedEvent | readonly PublishedEvent[]): Promise<string[]>;
  /**
   * Follows a stream inside the process.
   * @throws {SpillwayError} `stream-unknown`
   */
  subscribe(stream: string, options?: SubscribeOptions): AsyncIterable<DeliveredEvent>;
  /**
   * Serves on the configured address, for those who have no server of their own. Idempotent.
   * @throws {SpillwayError} `listen-failed`, after which it may be called again; `shutting-down`
   */
  listen(): Promise<{ readonly host: string; readonly port: number }>;
  /** What `GET /status` says. */
  status(): object;
  /** Ends everything in order: accepts nothing more, says goodbye, ends ingest, closes the log. Idempotent. */
  close(): Promise<void>;
}

/** What a gateway is made of. */
export interface GatewayParts extends Pick<Served, "workers" | "refresh"> {
  readonly streams: ReadonlyMap<string, ServedStream>;
  readonly logger: Logger;
  /** Since when the whole has been running, ms since 1970. */
  readonly startedAt: number;
  /** Called as the gateway closes; resolves once the hubs have all that they will ever get. */
  endIngest(): Promise<void>;
  /** Lets go of what the streams stand on, when nobody is served any more. */
  end(): Promise<void>;
}

/** After how many ms a client should come back when the server goes away. */
const byeRetry = 2000;

/** Puts a gateway together around streams that are in operation. */
export function assembleGateway(options: GatewayOptions, parts: GatewayParts): Gateway {
  const { streams, logger } = parts;
  let server: Promise<GatewayServer> | undefined;
  let closed: Promise<void> | undefined;
  const served: Served = {
    version,
    startedAt: parts.startedAt,
    streams,
    default: options.default === undefined ? undefined : streams.get(options.default),
    anonymous: options.access.anonymous,
    bodyLimit: options.limits.body,
    get closing() {
      return closed !== undefined;
    },
    workers: parts.workers,
    refresh: parts.refresh,
    logger,
  };
  const handler = createHandler(served);
  const node = toNodeHandler(handler);

  const find = (name: string): ServedStream => {
    const stream = streams.get(name);
    if (!stream) throw new SpillwayError("stream-unknown", `no stream "${name}"`, { field: "stream", got: name });
    return stream;
  };

  return {
    node: () => node,
    fetch: (request, mount) => toFetchHandler(handler, mount)(request),
    async publish(name, events) {
      const stream = find(name);
      const list = (Array.isArray(events) ? events : [events]).map((event, i) => toEvent(event, `events[${i}]`));
      const { first, last } = await stream.append(list);
      return idsOf(stream, list, first, last);
    },
    subscribe: (name, subscribeOptions = {}) => iterate(find(name), subscribeOptions),
    async listen() {
      if (closed) throw new SpillwayError("shutting-down");
      server ??= startServer(handler, options.listen);
      try {
        return (await server).address;
      } catch (error) {
        server = undefined;
        throw error;
      }
    },
    status: () => describe(served),
    close: () => (closed ??= close()),
  };

  async function close(): Promise<void> {
    const listening = await server?.catch(() => undefined);
    const drained = listening?.close(options.drain);
    await parts.endIngest();
    for (const stream of streams.values()) stream.hub.close(byeRetry);
    await drained;
    await parts.end();
  }
}
