import type { Server } from "node:http";
import type { Socket } from "node:net";
import { connectionEvent, passHttp2, speaksHttp2, trackConnections, type Connections } from "../connections.ts";

export interface NodeListenerOptions {
  /** Takes a connection that speaks HTTP/2, and calls `onEnd` when it has ended. */
  serveHttp2(socket: Socket, onEnd: () => void): void;
}

/** Serves every HTTP/1 connection of a server through Node's own HTTP. */
export function serveNodeHttp(server: Server, { serveHttp2 }: NodeListenerOptions): Connections {
  const event = connectionEvent(server);
  const listeners = server.listeners(event) as Array<(socket: Socket) => void>;
  server.removeAllListeners(event);
  const connections = trackConnections(server);
  server.on(event, (socket: Socket) => {
    if (speaksHttp2(socket)) return passHttp2(socket, connections, serveHttp2);
    // Node's HTTP sets this itself only without TLS: a client that has ended its side still gets its response.
    socket.allowHalfOpen = true;
    for (const listener of listeners) listener.call(server, socket);
  });
  return connections;
}
