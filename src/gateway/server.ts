import { createServer, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import { Server as NetServer, type AddressInfo } from "node:net";
import { deferContinue, toNodeHandler, type NodeHandler } from "../adapters/node/handler.ts";
import type { Connections } from "../adapters/connections.ts";
import { serveNodeHttp } from "../adapters/node/listener.ts";
import { serveRawStreams } from "../adapters/raw/listener.ts";
import { SpillwayError } from "../errors.ts";
import type { HttpHandler } from "../http/handler.ts";
import type { Limits } from "../limits/options.ts";
import type { Logger } from "../util/logger.ts";
import { describeCertificate, loadCertificate, watchCertificate, type CertificatePair } from "./certificate.ts";
import { createHttp2Sessions } from "./http2.ts";
import type { GatewayOptions } from "./options.ts";
import { refuseMalformed, type OnRefused } from "./refusals.ts";
import { headLimit, withinLimits } from "./request-limits.ts";

/** The gateway's own HTTP server. */
export interface GatewayServer {
  /** Where it listens in the end: port 0 has become a real one. */
  readonly address: { readonly host: string; readonly port: number };
  /** Goes on under these limits. Reads the certificate's files now, instead of when their change is seen; what fails is logged. */
  apply(limits: Limits): Promise<void>;
  /** Accepts no more, waits for what is open, and cuts it after `drain` ms. */
  close(drain: number): Promise<void>;
}

export interface ServerHost {
  readonly logger: Logger;
  /** Told of what is refused before it becomes a request of the gateway. */
  readonly onRefused: OnRefused;
}

/** How long a connection may stay silent while it carries neither a subscription nor a held long poll, in ms. */
const silenceLimit = 120_000;

/** How long a connection stays between two requests, in ms: longer than proxies keep theirs, so that it is not closed under a request. */
const idleLimit = 75_000;

/** Connections the kernel holds until they are accepted; it caps this at `somaxconn`. */
const backlog = 65_535;

/**
 * Starts to listen.
 * @throws {SpillwayError} `listen-failed`; `config-invalid` if the certificate cannot be used.
 */
export async function startServer(
  handler: HttpHandler,
  { listen, listener, tls, ...options }: Pick<GatewayOptions, "listen" | "listener" | "limits" | "tls">,
  { logger, onRefused }: ServerHost,
): Promise<GatewayServer> {
  let { limits } = options;
  const current = (): Limits => limits;
  const pair = tls && (await loadCertificate(tls));
  const requests = withinLimits(toNodeHandler(handler), current, onRefused);
  const { server, secure } = createEither(requests, limits, pair);
  server.timeout = silenceLimit;
  serveExpectations(server);
  const http2 = createHttp2Sessions(requests, { limits: current, idle: idleLimit, silence: silenceLimit });
  const { serve: serveHttp2 } = http2;
  const connections =
    listener === "node"
      ? serveNodeHttp(server, { serveHttp2 })
      : serveRawStreams(server, handler, { limits: current, serveHttp2 });
  refuseMalformed(server, { connections, limits: current, onRefused });
  await startListening(server, listen);
  const { address: host, port } = server.address() as AddressInfo;
  if (pair) logger.info(describeCertificate(pair), "serving with this certificate");
  const use = (next: CertificatePair): void => secure?.setSecureContext({ ...next, ...protocols });
  const watch = tls && pair && watchCertificate(tls, pair, { use, logger });
  return {
    address: { host, port },
    async apply(next) {
      limits = next;
      Object.assign(server, headBounds(limits));
      http2.apply(limits);
      await watch?.reload();
    },
    close(drain) {
      watch?.close();
      http2.close();
      return closeServer(server, connections, drain);
    },
  };
}

const protocols = { minVersion: "TLSv1.2" } as const;

/** With a certificate: TLS, and HTTP/2 for those who ask for it. */
function createEither(
  requests: NodeHandler,
  limits: Limits,
  pair: CertificatePair | undefined,
): { readonly server: Server; readonly secure?: TlsServer } {
  const time = limits.timeouts.headers;
  const options: ServerOptions = {
    ...headBounds(limits),
    // The time for a body is watched over with the request, see request-limits.ts.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(Math.max(Math.floor(time / 4), 50), 1000),
    keepAliveTimeout: idleLimit,
    // Node would answer without a body: see request-limits.ts.
    requireHostHeader: false,
  };
  if (!pair) return { server: createServer(options, requests) };
  const tls = { ...pair, ...protocols, ALPNProtocols: ["h2", "http/1.1"], handshakeTimeout: time };
  const secure = createTlsServer({ ...options, ...tls }, requests);
  return { server: secure, secure };
}

/**
 * Node would ask for a body before anybody has looked at the request, and would answer an unknown expectation without a body. A client
 * that has ended its side gets its answers all the same: Node's own default is to end the other side with it.
 */
function serveExpectations(server: Server): void {
  server.on("checkContinue", (request, response) => {
    deferContinue(request);
    server.emit("request", request, response);
  });
  server.on("checkExpectation", (request, response) => server.emit("request", request, response));
  (server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
}

/** Node reads both from the server each time. */
function headBounds(limits: Limits): { readonly maxHeaderSize: number; readonly headersTimeout: number } {
  return { maxHeaderSize: headLimit(limits), headersTimeout: limits.timeouts.headers };
}

function startListening(server: Server, { host, port }: GatewayOptions["listen"]): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === "EADDRINUSE" ? "it is in use (EADDRINUSE), choose another port" : (cause.code ?? cause.message);
      const reason = `cannot listen on ${host}:${port}: ${why}`;
      reject(new SpillwayError("listen-failed", reason, { field: "listen", cause }));
    });
    server.listen({ host, port, backlog }, resolve);
  });
}

/** Node's own `close` of an HTTP server would cut answers that are on their way: that of a net server closes the door, and no more. */
function closeServer(server: Server, connections: Connections, drain: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => connections.destroyAll(), drain);
    const sweep = setInterval(() => connections.destroyIdle(), 50);
    const closed = new Promise((done) => NetServer.prototype.close.call(server, done));
    // Node's server does not know of all.
    void Promise.all([closed, connections.allClosed()]).then(() => {
      clearTimeout(cut);
      clearInterval(sweep);
      // Nothing is left to cut: this ends Node's own timer, which would hold the server for ever.
      server.close();
      resolve();
    });
    connections.destroyIdle();
  });
}
