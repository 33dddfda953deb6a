import type { Dispatcher } from "undici";
import { createConnect, type TlsSettings } from "./connect.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { Http1Error } from "./error.ts";
import type { Http1Request } from "./request-head.ts";

/** Sends requests to one server over HTTP/1.1, each on a connection of its own. Unused ones are kept for a while. */
export interface Http1Client {
  /**
   * Sends a request, whose handler is called as by undici's dispatchers.
   * @param fresh over a connection that has carried no other
   */
  dispatch(request: Http1Request, handler: Dispatcher.DispatchHandler, fresh: boolean): void;
  /** Takes no more requests. Resolves once all connections are closed. */
  close(): Promise<void>;
  /** Closes all connections at once. Requests under way fail. */
  destroy(): void;
}

export interface Http1ClientOptions {
  /** How long a connection may take to be made, with TLS, in ms. */
  readonly connectTimeout: number;
  /** How long an unused connection is kept, in ms. */
  readonly idleTimeout: number;
  readonly tls?: TlsSettings | undefined;
}

/** How much earlier than its server a connection is closed at least, in ms: a request may be on its way. */
const margin = 1000;

/** Makes a client without a connection. */
export function createHttp1Client(url: URL, options: Http1ClientOptions): Http1Client {
  const connect = createConnect(url, options.connectTimeout, options.tls);
  const connections = new Set<Connection>();
  /** The connections without a request; the one that was used last comes last, and is used next. */
  let idle: Connection[] = [];
  let sweep: NodeJS.Timeout | undefined;
  let isClosing = false;
  let onAllClosed = (): void => {};

  const owner: ConnectionOwner = {
    host: url.host,
    onIdle(connection, kept = Infinity) {
      const time = Math.min(options.idleTimeout, kept - margin);
      if (isClosing || time <= 0) return connection.destroy();
      connection.idleUntil = performance.now() + time;
      idle.push(connection);
      sweep ??= setInterval(closeOutdated, sweepInterval).unref();
    },
    onClose(connection) {
      connections.delete(connection);
      const index = idle.indexOf(connection);
      if (index !== -1) idle.splice(index, 1);
      if (connections.size === 0) onAllClosed();
    },
  };

  function closeOutdated(): void {
    const now = performance.now();
    for (const connection of idle) if (connection.idleUntil <= now) connection.destroy();
    idle = idle.filter(({ idleUntil }) => idleUntil > now);
    if (idle.length > 0) return;
    clearInterval(sweep);
    sweep = undefined;
  }

  function takeIdle(): Connection | undefined {
    for (let found = idle.pop(); found; found = idle.pop()) {
      if (!found.isClosed) return found;
    }
    return undefined;
  }

  function open(canChange: boolean): Connection {
    const connection = new Connection(connect, owner, canChange);
    connections.add(connection);
    return connection;
  }

  return {
    dispatch(request, handler, fresh) {
      if (isClosing) return refuse(handler);
      const canChange = Boolean(request.upgrade);
      const known = fresh || canChange ? undefined : takeIdle();
      (known ?? open(canChange)).send(request, handler);
    },
    close() {
      isClosing = true;
      for (const connection of idle) connection.destroy();
      return new Promise((resolve) => {
        if (connections.size === 0) resolve();
        else onAllClosed = resolve;
      });
    },
    destroy() {
      isClosing = true;
      for (const connection of connections) connection.destroy(clientClosed());
    },
  };
}

function refuse(handler: Dispatcher.DispatchHandler): void {
  // As undici's dispatchers, which have no connection then either.
  handler.onResponseError?.(undefined as unknown as Dispatcher.DispatchController, clientClosed());
}

const clientClosed = (): Http1Error => new Http1Error("CLIENT_CLOSED", "the client takes no more requests");

/** How often connections that were unused for too long are looked for, in ms. */
const sweepInterval = 500;
