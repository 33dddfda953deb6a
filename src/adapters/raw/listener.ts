import type { Server } from "node:http";
import type { Socket } from "node:net";
import { SpillwayError } from "../../errors.ts";
import { problem } from "../../http/problem.ts";
import type { Route } from "../../http/gateway-context.ts";
import type { HttpHandler } from "../../http/handler.ts";
import { asksForEventStream } from "../../http/subscribe.ts";
import { createSlicedQueue } from "../../util/event-loop.ts";
import { connectionEvent, passHttp2, speaksHttp2, trackConnections, type Connections } from "../connections.ts";
import { acceptHandles, type HandleConnection, type Use } from "./handle-connections.ts";
import { PlainRequest } from "./plain-request.ts";
import { readPlainRequest, splitTarget, type RequestHead } from "./request-head.ts";
import { RawResponse, type Arrival, type ResponseOwner } from "./response.ts";
import { createSilenceWatch } from "./silence-watch.ts";

/**
 * Subscriptions started per turn of the event loop: one to two milliseconds of work. Measured with 1,000 clients that
 * reconnect at once: the p99 latency of live events is 42 ms, and 250 ms if all subscriptions start in one turn.
 */
const begunAtOnce = 16;

/** What a connection may send before it is served. Larger requests go to Node's HTTP. */
export interface HeadLimits {
  /** The largest request target and the largest head, in bytes. */
  readonly url: number;
  readonly headers: number;
  /** How long a connection may send nothing, in ms. Node's HTTP enforces the time for the rest of a head. */
  readonly timeouts: { readonly headers: number };
}

export interface RawListenerOptions {
  /** Called for each connection. */
  limits(): HeadLimits;
  /** Whether the gateway has streams. Without them, a route may have their paths. */
  hasStreams(): boolean;
  /** The route by which requests for a path are forwarded to another server, if they are. */
  findForwarded(path: string): Route | undefined;
  /** Takes a connection that speaks HTTP/2, and calls `onEnd` when it has ended. */
  serveHttp2(socket: Socket, onEnd: () => void): void;
  /** How long a connection stays open between two requests, in ms. */
  readonly idle: number;
  /** Whether the server stops. */
  isClosing(): boolean;
}

/**
 * Serves event streams, and requests without a body that are forwarded, directly from the connections of an HTTP server.
 * They get no parser, request and response objects, which need more time than the rest of a forwarded request, and more
 * memory than the rest of a subscriber. A connection whose first bytes, or the first ones after a response, are anything
 * but one such request is passed on to Node's HTTP unchanged.
 */
export function serveRaw(server: Server, handler: HttpHandler, options: RawListenerOptions): Connections {
  const event = connectionEvent(server);
  const listeners = server.listeners(event) as Array<(socket: Socket) => void>;
  server.removeAllListeners(event);
  const connections = trackConnections(server);
  server.on(event, (socket: Socket) => {
    if (speaksHttp2(socket)) return passHttp2(socket, connections, options.serveHttp2);
    // As Node's HTTP does without TLS. During the handshake, and with HTTP/2, the end of one side closes the
    // connection.
    socket.allowHalfOpen = true;
    socket.on("error", ignore).on("end", cut).once("data", onFirstBytes);
    socket.setTimeout(options.limits().timeouts.headers, cut);
  });
  const serveInTurn = createSlicedQueue<Arrival>(begunAtOnce, serve);
  const silent = createSilenceWatch(() => options.limits().timeouts.headers);
  const idle = createSilenceWatch(() => options.idle);
  const owner: ResponseOwner = {
    idle: options.idle,
    isClosing: () => options.isClosing(),
    onReusable(connection) {
      connections.end(connection);
      idle.add(connection);
      connection.next();
    },
  };
  if (event === "connection") acceptHandles(server, { onOpen, onBytes });
  return connections;

  function onOpen(connection: HandleConnection): void {
    connections.add(connection);
    silent.add(connection);
  }

  function onBytes(connection: HandleConnection, bytes: Buffer): Use {
    silent.remove(connection);
    idle.remove(connection);
    const head = readFitting(bytes);
    const place = head && placeOf(head);
    if (!place) return "leave";
    connections.begin(connection);
    const { route, isStream } = place;
    const arrival = { connection, head, route };
    if (isStream) serveInTurn(arrival);
    else serve(arrival);
    return route ? "keep" : "last";
  }

  /** Sockets, of TLS for example, end with their first response, so they carry only event streams here. */
  function onFirstBytes(this: Socket, bytes: Buffer): void {
    this.setTimeout(0, cut);
    const head = readFitting(bytes);
    const place = head && placeOf(head);
    if (place?.isStream) {
      connections.begin(this.off("end", cut));
      return serveInTurn({ connection: this, head: head!, route: place.route });
    }
    this.off("error", ignore).off("end", cut).unshift(bytes);
    for (const listener of listeners) listener.call(server, this);
  }

  function readFitting(bytes: Buffer): RequestHead | undefined {
    const head = readPlainRequest(bytes);
    if (!head) return undefined;
    const { url, headers } = options.limits();
    return head.target.length <= url && bytes.length <= headers ? head : undefined;
  }

  /** `undefined` for a request that is left to Node's HTTP. */
  function placeOf(head: RequestHead): { readonly route: Route | undefined; readonly isStream: boolean } | undefined {
    if (options.hasStreams() && asksForOwnStream(head)) return ownStream;
    const route = options.findForwarded(splitTarget(head.target).path);
    return route && { route, isStream: asksForEventStream(head.headers.get("accept")) };
  }

  function serve(arrival: Arrival): void {
    const { connection, route } = arrival;
    if (connection.destroyed) return;
    const response = new RawResponse(arrival, owner);
    handler(new PlainRequest(arrival, response), route)
      .then((answer = problem(new SpillwayError("not-found"))) => response.send(answer))
      .catch(() => void connection.destroy());
  }
}

const ownStream = { route: undefined, isStream: true };

/** Node closes a broken connection, and there is nothing else to do. */
function ignore(): void {}

/** Node's HTTP servers leave a socket half open when the client ends its side, so Spillway must close it. */
function cut(this: Socket): void {
  this.destroy();
}

function asksForOwnStream({ method, target, headers }: RequestHead): boolean {
  const accept = headers.get("accept") ?? "";
  // A long poll is likely to be followed by others on its connection: Node's HTTP keeps the connection open.
  return method === "GET" && /^\/(streams\/|api\/sse(?=$|[/?]))/.test(target) && !/application\/json/i.test(accept);
}
