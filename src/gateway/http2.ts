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
import { deferContinue, type NodeHandler } from "../adapters/node/handler.ts";
import type { Limits } from "../limits/options.ts";
import { refusalTime } from "./refusals.ts";
import { headLimit } from "./request-limits.ts";

/** Serves connections that have agreed on HTTP/2. */
export interface Http2Sessions {
  serve(socket: Socket, onEnd: () => void): void;
  /** From here on under these limits. */
  apply(limits: Limits): void;
  /** Takes no new requests; a session ends with its last one. */
  close(): void;
}

export interface Http2Options {
  /** Those of the moment. */
  limits(): Limits;
  /** How long a session stays without requests once it has had one, in ms. Before the first it is `limits.timeouts.headers`. */
  readonly idle: number;
  /** How long an answer that is no event stream may get nowhere, in ms. */
  readonly silence: number;
}

/** Requests of one session at the same time. Browsers take them all over one connection. */
const maxConcurrentStreams = 250;

/** MB of one session. Each of its streams may have as much unsent as a connection of its own. */
const maxSessionMemory = 64;

/** Pings that a session may send in `pingWindow` ms: many times what keeps a connection alive. */
const maxPings = 100;
const pingWindow = 10_000;

/** Sessions over sockets that come from elsewhere; it does not listen. */
export function createHttp2Sessions(handler: NodeHandler, { limits, idle, silence }: Http2Options): Http2Sessions {
  const sessions = new Set<ServerHttp2Session>();
  let closing = false;
  const server = createServer(serverOptions(limits()), handler);
  server.on("checkContinue", (request, response) => {
    deferContinue(request);
    handler(request, response);
  });
  server.on("checkExpectation", handler);
  // The connection is closed by then, and there is nobody to tell.
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
      // Its handshake was under way.
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

/** Each header counts 32 bytes more than it holds (RFC 9113 §6.5.2). With more than this a request is reset instead of answered. */
function settingsFor(limits: Limits): Settings {
  return { maxConcurrentStreams, maxHeaderListSize: headLimit(limits) + 4096 };
}

/** The session is announced while the connection is handed over. */
function openSession(server: Http2Server, socket: Socket): ServerHttp2Session | undefined {
  let session: ServerHttp2Session | undefined;
  server.once("session", (opened) => (session = opened));
  server.emit("connection", socket);
  return session;
}

/** Counts requests, not traffic: a client that only pings is idle. */
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

/** Each ping is answered by Node, whatever it costs. */
function boundPings(session: ServerHttp2Session): void {
  let since = 0;
  let count = 0;
  session.on("ping", () => {
    const now = performance.now();
    if (now - since > pingWindow) [since, count] = [now, 0];
    if (++count > maxPings) session.destroy(new Error("too many pings"), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });
}
