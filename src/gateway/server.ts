import { createServer, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import { Server as NetServer, type AddressInfo } from "node:net";
import { deferContinue } from "../adapters/node/body.ts";
import { toNodeHandler, type NodeHandler } from "../adapters/node/handler.ts";
import type { Connections } from "../adapters/connections.ts";
import { toUpgradeHandler, type UpgradeHandler } from "../adapters/node/upgrade.ts";
import { serveNodeHttp } from "../adapters/node/listener.ts";
import { serveRaw } from "../adapters/raw/listener.ts";
import { SpillwayError } from "../errors.ts";
import type { Route } from "../http/gateway-context.ts";
import type { HttpHandler } from "../http/handler.ts";
import type { Limits } from "../limits/options.ts";
import type { Logger } from "../util/logger.ts";
import type { Routes } from "../proxy/options.ts";
import { describeCertificate, loadCertificate, watchCertificate, type CertificatePair } from "./certificate.ts";
import { createHttp2Sessions } from "./http2.ts";
import type { GatewayOptions } from "./options.ts";
import { refuseMalformed, type OnRefused } from "./refusals.ts";
import { headLimit, withinLimits } from "./request-limits.ts";

/** The gateway's own HTTP server. */
export interface GatewayServer {
  /** The actual address: port 0 is replaced by the assigned port. */
  readonly address: { readonly host: string; readonly port: number };
  /** Applies new limits and reads the certificate's files at once. A certificate that cannot be used is only logged. */
  apply(options: Pick<GatewayOptions, "limits" | "routes" | "streams">): Promise<void>;
  /** Accepts no new connections, waits for the open ones, and cuts them after `drain` ms. */
  close(drain: number): Promise<void>;
}

export interface ServerHost {
  readonly logger: Logger;
  /** Called for requests that are refused before they reach the gateway's handler. */
  readonly onRefused: OnRefused;
  /** The route by which requests for a path are forwarded to another server, if they are. */
  findForwarded(path: string): Route | undefined;
}

/** How long a connection without a subscription or a waiting long poll may be silent, in ms. */
const silenceLimit = 120_000;

/**
 * How long a connection stays open between two requests, in ms. Longer than the usual proxy timeout, so that the
 * gateway never closes a connection on which a proxy sends a request.
 */
const idleLimit = 75_000;

/** The number of connections that the kernel queues until they are accepted. The kernel limits it to `somaxconn`. */
const backlog = 65_535;

/**
 * Starts the server.
 * @throws {SpillwayError} `listen-failed`; `config-invalid` if the certificate cannot be used.
 */
export async function startServer(
  handler: HttpHandler,
  {
    listen,
    listener,
    tls,
    ...options
  }: Pick<GatewayOptions, "listen" | "listener" | "limits" | "routes" | "streams" | "tls">,
  { logger, onRefused, findForwarded }: ServerHost,
): Promise<GatewayServer> {
  let { limits } = options;
  let hasStreams = Object.keys(options.streams).length > 0;
  let closing = false;
  const current = (): Limits => limits;
  const pair = tls && (await loadCertificate(tls));
  const requests = withinLimits(toNodeHandler(handler), current, onRefused);
  const { server, secure } = createHttpServer(requests, limits, pair);
  server.timeout = silenceLimit;
  // Node would leave out all headers after the 2,000th. The size of the head bounds them.
  server.maxHeadersCount = 0;
  serveExpectations(server);
  const serveUpgrades = upgradeSwitch(
    server,
    toUpgradeHandler((request, response) => server.emit("request", request, response)),
  );
  serveUpgrades(options.routes);
  const http2 = createHttp2Sessions(requests, { limits: current, idle: idleLimit, silence: silenceLimit });
  const { serve: serveHttp2 } = http2;
  const connections =
    listener === "node"
      ? serveNodeHttp(server, { serveHttp2 })
      : serveRaw(server, handler, {
          limits: current,
          hasStreams: () => hasStreams,
          findForwarded,
          serveHttp2,
          idle: idleLimit,
          isClosing: () => closing,
        });
  refuseMalformed(server, { connections, limits: current, onRefused });
  await startListening(server, listen);
  const { address: host, port } = server.address() as AddressInfo;
  if (pair) logger.info(describeCertificate(pair), "certificate loaded");
  const use = (next: CertificatePair): void => secure?.setSecureContext({ ...next, ...protocols });
  const watch = tls && pair && watchCertificate(tls, pair, { use, logger });
  return {
    address: { host, port },
    async apply(next) {
      ({ limits } = next);
      hasStreams = Object.keys(next.streams).length > 0;
      serveUpgrades(next.routes);
      Object.assign(server, headBounds(limits));
      http2.apply(limits);
      await watch?.reload();
    },
    close(drain) {
      closing = true;
      watch?.close();
      http2.close();
      return closeServer(server, connections, drain);
    },
  };
}

const protocols = { minVersion: "TLSv1.2" } as const;

/** Creates an HTTPS server that negotiates HTTP/2 if there is a certificate, else a plain HTTP server. */
function createHttpServer(
  requests: NodeHandler,
  limits: Limits,
  pair: CertificatePair | undefined,
): { readonly server: Server; readonly secure?: TlsServer } {
  const time = limits.timeouts.headers;
  const options: ServerOptions = {
    ...headBounds(limits),
    // request-limits.ts limits the time for a body.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(Math.max(Math.floor(time / 4), 50), 1000),
    keepAliveTimeout: idleLimit,
    // request-limits.ts checks `Host`, because Node would answer without a body.
    requireHostHeader: false,
  };
  if (!pair) return { server: createServer(options, requests) };
  const tls = { ...pair, ...protocols, ALPNProtocols: ["h2", "http/1.1"], handshakeTimeout: time };
  const secure = createTlsServer({ ...options, ...tls }, requests);
  return { server: secure, secure };
}

/**
 * Replaces two defaults of Node: `100 Continue` is sent only after the request was checked, and an unknown expectation
 * gets a response with a body. Also lets a client that has ended its side still receive its responses, where Node would
 * close the connection.
 */
function serveExpectations(server: Server): void {
  server.on("checkContinue", (request, response) => {
    deferContinue(request);
    server.emit("request", request, response);
  });
  server.on("checkExpectation", (request, response) => server.emit("request", request, response));
  (server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
}

/** Node reads both properties from the server for each connection or request. */
function headBounds(limits: Limits): { readonly maxHeaderSize: number; readonly headersTimeout: number } {
  return { maxHeaderSize: headLimit(limits), headersTimeout: limits.timeouts.headers };
}

/** Node asks for the listener at each request: without one it serves those that ask for another protocol like all others. */
function upgradeSwitch(server: Server, listener: UpgradeHandler): (routes: Routes) => void {
  return (routes) => {
    server.off("upgrade", listener);
    if (Object.values(routes).some(({ websocket }) => websocket)) server.on("upgrade", listener);
  };
}

function startListening(server: Server, { host, port }: GatewayOptions["listen"]): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === "EADDRINUSE"
          ? "the address is in use (EADDRINUSE), choose another port"
          : (cause.code ?? cause.message);
      const reason = `cannot listen on ${host}:${port}: ${why}`;
      reject(new SpillwayError("listen-failed", reason, { field: "listen", cause }));
    });
    server.listen({ host, port, backlog }, resolve);
  });
}

/**
 * Calls `close` of the net server, which only stops listening: that of the HTTP server would cut responses in flight.
 */
function closeServer(server: Server, connections: Connections, drain: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => connections.destroyAll(), drain);
    const sweep = setInterval(() => connections.destroyIdle(), 50);
    const closed = new Promise((done) => NetServer.prototype.close.call(server, done));
    // Node's server does not track all connections.
    void Promise.all([closed, connections.allClosed()]).then(() => {
      clearTimeout(cut);
      clearInterval(sweep);
      // No connection is left. This stops Node's own timer, which would keep the server in memory indefinitely.
      server.close();
      resolve();
    });
    connections.destroyIdle();
  });
}
