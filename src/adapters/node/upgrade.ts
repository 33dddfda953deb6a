import { ServerResponse, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { SpillwayError } from "../../errors.ts";
import { problem } from "../../http/problem.ts";
import { hasBody } from "./body.ts";
import { allowUpgrade, send, type NodeHandler } from "./handler.ts";

/** A listener for the event `upgrade` of Node's HTTP/1.1 servers. */
export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/**
 * Serves requests that ask for another protocol. WebSocket is spoken where a route allows it; every other request gets
 * the response that it gets without the `Upgrade` header (RFC 9110 §7.8), after which the connection closes.
 */
export function toUpgradeHandler(handler: NodeHandler): UpgradeHandler {
  return (request, duplex, head) => {
    const socket = duplex as Socket;
    // Node no longer listens.
    socket.on("error", () => socket.destroy());
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.on("finish", () => socket.destroySoon());
    // Node has not parsed the body: it cannot be told from what follows the request.
    if (hasBody(request)) return send(problem(withBody()), request, response);
    const isWebSocket = request.method === "GET" && /^websocket$/i.test(request.headers.upgrade ?? "");
    if (isWebSocket) allowUpgrade(request, head);
    handler(request, response);
  };
}

function withBody(): SpillwayError {
  return new SpillwayError("request-invalid", "a request with a body cannot change the protocol", { field: "Upgrade" });
}
