import type { Server } from "node:http";
import type { Socket } from "node:net";
import { Server as TlsServer } from "node:tls";

/** A `net.Socket`, or what does its work. */
export interface Connection {
  readonly writableLength: number;
  on(event: "close", listener: () => void): unknown;
  destroy(): unknown;
}

/** The connections of a server, and how many answers are under way on each. */
export interface Connections {
  /** One that the server does not know of. */
  add(connection: Connection): void;
  /** One more answer is under way; returns the way to say that it is over. */
  begin(connection: Connection): () => void;
  /** Whether it can carry requests: not before its TLS handshake, nor after its close. */
  has(connection: Connection): boolean;
  /** Whether an answer is under way. */
  isBusy(connection: Connection): boolean;
  /** Resolves once there is none that can carry requests. */
  allClosed(): Promise<void>;
  /** Closes the connections that carry nothing. */
  destroyIdle(): void;
  destroyAll(): void;
}

/** The event with which a server announces a connection that can carry requests; with TLS that is after the handshake. */
export function connectionEvent(server: Server): "connection" | "secureConnection" {
  return server instanceof TlsServer ? "secureConnection" : "connection";
}

/** Whether client and server agreed on HTTP/2 in the TLS handshake. */
export function speaksHttp2(socket: Socket & { readonly alpnProtocol?: unknown }): boolean {
  return socket.alpnProtocol === "h2";
}

/**
 * Keeps count for a server. Node's own `closeIdleConnections` takes an answer for over as soon as it was written, and cuts it off
 * on its way to a slow reader; this one waits until the bytes have left.
 */
export function trackConnections(server: Server): Connections {
  const answers = new Map<Connection, number>();
  let onAllClosed = (): void => {};
  const handshakes = server instanceof TlsServer ? trackHandshakes(server) : [];
  const add = (connection: Connection): void => {
    answers.set(connection, 0);
    connection.on("close", () => {
      answers.delete(connection);
      if (answers.size === 0) onAllClosed();
    });
  };
  const change = (connection: Connection, by: number): void => {
    const count = answers.get(connection);
    if (count !== undefined) answers.set(connection, count + by);
  };
  const begin = (connection: Connection): (() => void) => {
    change(connection, 1);
    return () => change(connection, -1);
  };
  server.on(connectionEvent(server), add);
  server.on("request", ({ socket }, response) => response.on("close", begin(socket)));
  return {
    add,
    begin,
    has: (connection) => answers.has(connection),
    isBusy: (connection) => (answers.get(connection) ?? 0) > 0,
    allClosed: () =>
      new Promise((resolve) => {
        if (answers.size === 0) resolve();
        else onAllClosed = resolve;
      }),
    destroyIdle() {
      for (const [connection, count] of answers)
        if (count === 0 && connection.writableLength === 0) connection.destroy();
      for (const socket of handshakes) socket.destroy();
    },
    destroyAll() {
      for (const connection of answers.keys()) connection.destroy();
      for (const socket of handshakes) socket.destroy();
    },
  };
}

/**
 * The connections whose handshake is not done. Node announces the TCP socket before it and the TLS socket after it; what they have in
 * common is the address of the client.
 */
function trackHandshakes(server: TlsServer): Iterable<Socket> {
  const sockets = new Map<string, Socket>();
  const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
  server.on("connection", (socket: Socket) => {
    const name = nameOf(socket);
    sockets.set(name, socket);
    socket.once("close", () => {
      if (sockets.get(name) === socket) sockets.delete(name);
    });
  });
  server.on("secureConnection", (socket) => sockets.delete(nameOf(socket)));
  return { [Symbol.iterator]: () => sockets.values() };
}
