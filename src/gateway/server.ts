import { createServer, type Server } from "node:http";
import { Server as NetServer, type AddressInfo, type Socket } from "node:net";
import { toNodeHandler } from "../adapters/node.ts";
import type { Connections } from "../adapters/connections.ts";
import { servePlainStreams } from "../adapters/plain-streams.ts";
import { SpillwayError } from "../errors.ts";
import type { HttpHandler } from "../http/routes.ts";

/** The gateway's own HTTP server. */
export interface GatewayServer {
  /** Where it listens in the end: port 0 has become a real one. */
  readonly address: { readonly host: string; readonly port: number };
  /** Accepts no more, waits for what is open, and cuts it after `drain` ms. */
  close(drain: number): Promise<void>;
}

/** How long a connection may stay silent while it carries neither a subscription nor a held long poll, in ms. */
const silenceLimit = 120_000;

/** How long a client has to read why it was refused, in ms. */
const refusalTime = 2000;

/** Connections the kernel holds until they are accepted; it caps this at `somaxconn`. */
const backlog = 65_535;

/**
 * Starts to listen.
 * @throws {SpillwayError} `listen-failed`
 */
export async function startServer(
  handler: HttpHandler,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<GatewayServer> {
  const server = createServer(toNodeHandler(handler));
  server.timeout = silenceLimit;
  const connections = servePlainStreams(server, handler);
  server.on("clientError", (error, socket) => refuse(error, socket as Socket, connections));
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === "EADDRINUSE" ? "it is in use (EADDRINUSE), choose another port" : (cause.code ?? cause.message);
      const reason = `cannot listen on ${host}:${port}: ${why}`;
      reject(new SpillwayError("listen-failed", reason, { field: "listen", cause }));
    });
    server.listen({ host, port, backlog }, resolve);
  });
  const { address, port: actual } = server.address() as AddressInfo;
  return { address: { host: address, port: actual }, close: (drain) => closeServer(server, connections, drain) };
}

/** Node's own `close` of an HTTP server would cut answers that are on their way: that of a net server closes the door, and no more. */
function closeServer(server: Server, connections: Connections, drain: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => connections.destroyAll(), drain);
    const sweep = setInterval(() => connections.destroyIdle(), 50);
    NetServer.prototype.close.call(server, () => {
      clearTimeout(cut);
      clearInterval(sweep);
      // Nothing is left to cut: this ends Node's own timer, which would hold the server for ever.
      server.close();
      resolve();
    });
    connections.destroyIdle();
  });
}

/** What Node's parser refuses never becomes a request; it is answered here, where it cannot get into another answer. */
function refuse(error: NodeJS.ErrnoException, socket: Socket, connections: Connections): void {
  if (connections.isBusy(socket) || !socket.writable) return void socket.destroy();
  const [status, reason, field] = refusals[error.code ?? ""] ?? [400, "Bad Request", "request"];
  const body = JSON.stringify({ type: "about:blank", title: reason, status, code: "request-invalid", field });
  // Half open as it is, it would else stay for as long as its client likes.
  setTimeout(() => socket.destroy(), refusalTime).unref();
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

const refusals: Partial<Record<string, [number, string, string]>> = {
  HPE_HEADER_OVERFLOW: [431, "Request Header Fields Too Large", "headers"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "Request Timeout", "request"],
};
