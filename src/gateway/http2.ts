import {
  constants,
  createServer,
  type Http2Server,
  type ServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from "node:http2";
import type { Socket } from "node:net";
import { deferContinue } from "../adapters/node/body.ts";
import type { NodeHandler } from "../adapters/node/handler.ts";
import type { Limits } from "../limits/options.ts";
import { refusalTime } from "./refusals.ts";
import { headLimit } from "./request-limits.ts";

/** Serves connections that have negotiated HTTP/2. */
export interface Http2Sessions {
  serve(socket: Socket, onEnd: () => void): void;
  /** Applies new limits. */
  apply(limits: Limits): void;
  /** Accepts no new requests; each session ends with its last open request. */
  close(): void;
}

export interface Http2Options {
  /** The current limits. */
  limits(): Limits;
  /**
   * How long a session stays open between requests, in ms. Before its first request, `limits.timeouts.headers` applies.
   */
  readonly idle: number;
  /** How long a response may make no progress, in ms. Event streams are exempt. */
  readonly silence: number;
}

/** The largest number of concurrent requests in a session. A browser sends all its requests over one connection. */
const maxConcurrentStreams = 250;

/**
 * The memory limit of a session in MB. Each of its streams may have as many unsent bytes as a connection of its own.
 */
const maxSessionMemory = 64;

/** The largest number of pings from a session in `pingWindow` ms: far more than any keep-alive sends. */
const maxPings = 100;
const pingWindow = 10_000;

/** Creates HTTP/2 sessions over sockets that another server has accepted; it does not listen itself. */
export function createHttp2Sessions(handler: NodeHandler, { limits, idle, silence }: Http2Options): Http2Sessions {
  const sessions = new Set<ServerHttp2Session>();
  let closing = false;
  const server = createServer(serverOptions(limits()), handler);
  server.on("checkContinue", (request, response) => {
    deferContinue(request);
    handler(request, response);
  });
  server.on("checkExpectation", handler);
  // The connection is already closed, so there is nothing left to do.
  server.on("sessionError", () => {});
  server.on("stream", (stream: ServerHttp2Stream) =>
    stream.setTimeout(silence, () => stream.close(constants.NGHTTP2_CANCEL)),
  );
  return {
    serve(socket, onEnd) {
      const session = openSession(server, socket);
      if (!session) return void socket.destroy();
      sessions.add(session);
      session.once("close", () => {
        sessions.delete(session);
        onEnd();
      });
      endWhenIdle(session, limits().timeouts.headers, idle);
      boundPings(session);
      // The handshake may have completed during the shutdown.
      if (closing) session.close();
    },
    apply: (next) => server.updateSettings(settingsFor(next)),
    close() {
      closing = true;
      for (const session of sessions) session.close();
    },
  };
}

function serverOptions(limits: Limits): ServerOptions {
  return {
    maxSessionMemory,
    settings: settingsFor(limits),
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
  };
}

/**
 * Each header counts 32 bytes more than its length (RFC 9113 §6.5.2). A request beyond this limit is reset instead of
 * answered.
 */
function settingsFor(limits: Limits): Settings {
  return { maxConcurrentStreams, maxHeaderListSize: headLimit(limits) + 4096 };
}

/** Opens a session. Node emits `session` synchronously during `connection`. */
function openSession(server: Http2Server, socket: Socket): ServerHttp2Session | undefined {
  let session: ServerHttp2Session | undefined;
  server.once("session", (opened) => (session = opened));
  server.emit("connection", socket);
  return session;
}

/** Ends a session without open requests after a timeout. Traffic does not count: a client that only pings is idle. */
function endWhenIdle(session: ServerHttp2Session, first: number, later: number): void {
  let open = 0;
  let timer = setTimeout(end, first);
  session.on("stream", (stream) => {
    open++;
    clearTimeout(timer);
    stream.once("close", () => {
      open--;
      if (open === 0 && !session.closed) timer = setTimeout(end, later);
    });
  });
  session.once("close", () => clearTimeout(timer));

  function end(): void {
    session.close();
    setTimeout(() => session.destroy(), refusalTime).unref();
  }
}

/** Ends a session that sends too many pings, because Node answers every one of them. */
function boundPings(session: ServerHttp2Session): void {
  let since = 0;
  let count = 0;
  session.on("ping", () => {
    const now = performance.now();
    if (now - since > pingWindow) [since, count] = [now, 0];
    if (++count > maxPings) session.destroy(new Error("too many pings"), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });
}
