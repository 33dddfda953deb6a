import type { Server } from "node:http";
import type { Socket } from "node:net";
import { Server as TlsServer } from "node:tls";

/** A `net.Socket`, or a connection that Spillway handles without one. */
export interface Connection {
  readonly writableLength: number;
  on(event: "close", listener: () => void): unknown;
  destroy(): unknown;
}

/** The connections of a server, and the number of responses in progress on each. */
export interface Connections {
  /** Adds a connection that the server does not announce itself. */
  add(connection: Connection): void;
  /** Counts one more response in progress. */
  begin(connection: Connection): void;
  /** Counts one less. */
  end(connection: Connection): void;
  /** Whether the connection can carry requests: it has finished its TLS handshake and has not closed. */
  has(connection: Connection): boolean;
  /** Whether a response is in progress. */
  isBusy(connection: Connection): boolean;
  /** Resolves once no connection is left that can carry requests. */
  allClosed(): Promise<void>;
  /** Closes the connections without a response in progress or unsent bytes, and unfinished TLS handshakes. */
  destroyIdle(): void;
  destroyAll(): void;
}

/** The event by which a server announces a connection that can carry requests; with TLS, after the handshake. */
export function connectionEvent(server: Server): "connection" | "secureConnection" {
  return server instanceof TlsServer ? "secureConnection" : "connection";
}

/** Whether client and server agreed on HTTP/2 in the TLS handshake. */
export function speaksHttp2(socket: Socket & { readonly alpnProtocol?: unknown }): boolean {
  return socket.alpnProtocol === "h2";
}

/** Hands over a connection that speaks HTTP/2, which counts as busy until it has ended. */
export function passHttp2(
  socket: Socket,
  connections: Connections,
  serve: (socket: Socket, onEnd: () => void) => void,
): void {
  connections.begin(socket);
  serve(socket, () => connections.end(socket));
}

/**
 * Tracks the connections of a server. Node's own `closeIdleConnections` considers a response finished as soon as it is
 * written, and cuts it off on its way to a slow reader; this one waits until the bytes have been sent.
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
  server.on(connectionEvent(server), add);
  server.on("request", ({ socket }, response) => {
    change(socket, 1);
    response.on("close", () => change(socket, -1));
  });
  return {
    add,
    begin: (connection) => change(connection, 1),
    end: (connection) => change(connection, -1),
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
 * The connections whose handshake is not finished. Node announces the TCP socket before the handshake and the TLS
 * socket after it; the client's address and port connect the two.
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

/** The object that carries a response, and closes with it. */
export interface Carrier {
  /** Whether the response has been ended. */
  readonly writableEnded?: boolean;
  /** Whether everything has been written. An HTTP/2 response says so also when the client has reset it. */
  readonly writableFinished?: boolean;
  on(event: "close", listener: () => void): unknown;
}

/** The connection that a request arrived on: a socket, or a connection without one. */
interface Input {
  /** Whether the client has ended its side. */
  readonly readableEnded: boolean;
  on(event: "end", listener: () => void): unknown;
  off?(event: "end", listener: () => void): unknown;
  setMaxListeners?(count: number): unknown;
}

/** Calls `listener` once the client has ended its side of the connection, unless `carrier` has closed before. */
export function onHalfClose(input: Input, carrier: Carrier, listener: () => void): void {
  if (input.readableEnded) return listener();
  input.on("end", listener);
  if ((input as object) === carrier) return;
  // The connection outlives the request, and may have many requests at once: no warning about too many listeners.
  input.setMaxListeners?.(0);
  carrier.on("close", () => input.off?.("end", listener));
}

/**
 * How long a client that has ended its side may still read its response, in ms. Only a write would show that it is
 * gone.
 */
const halfCloseGrace = 1000;

/**
 * Calls `listener`, possibly twice, when `carrier` closes before its response is complete (at once if it `isClosed`
 * already), or when the client ends its side: at once with `leave`, a second later with `wait`. `input` is absent where a
 * client cannot end its side alone.
 */
export function onGone(
  carrier: Carrier,
  isClosed: boolean,
  input: Input | undefined,
  halfClose: "leave" | "wait",
  listener: () => void,
): void {
  if (isClosed) return listener();
  // After a complete response, nobody waits any more.
  carrier.on("close", () => {
    if (carrier.writableEnded !== true || carrier.writableFinished !== true) listener();
  });
  const later = (): void => void setTimeout(listener, halfCloseGrace).unref();
  if (input) onHalfClose(input, carrier, halfClose === "leave" ? listener : later);
}

/**
 * A signal that aborts when `carrier` closes (at once if it `isClosed` already), or one second after the client ended
 * its side. Created on demand, since a subscription, which may last for days, does not need one. `input` is absent
 * where a client cannot end its side alone.
 */
export function closeSignal(carrier: Carrier, isClosed: boolean, input?: Input): AbortSignal {
  const gone = new AbortController();
  onGone(carrier, isClosed, input, "wait", () => gone.abort());
  return gone.signal;
}
