import type { Socket } from "node:net";
import type { Dispatcher, buildConnector } from "undici";
import type { UpstreamRequest } from "./request.ts";
import type { UpstreamOptions } from "./upstream.ts";

/** The connections of one attempt: for its first request, for the redirects that it follows, and to its proxy. */
export interface Transport {
  /** Resolves once the response's headers have arrived. Neither headers nor body have a timeout here. */
  request(request: UpstreamRequest): Promise<Dispatcher.ResponseData>;
  /** Closes every connection at once, including those that are still connecting. Idempotent. */
  close(): void;
}

type Connector = buildConnector.connector;

/**
 * Makes the transport of one attempt. An event stream leaves no connection to reuse, so a dispatcher per attempt costs
 * nothing, and no state of a broken one is kept.
 */
export function createTransport(options: Pick<UpstreamOptions, "tls" | "proxy" | "timeouts">): Transport {
  const sockets = new Set<Socket>();
  const opening = openDispatcher(options, (connector) => tracked(connector, sockets));
  // A failure rejects the request.
  const opened = opening.catch(() => undefined);
  return {
    async request({ url, method, headers, body = null }) {
      const dispatcher = await opening;
      return dispatcher.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        // A copy, because undici's proxy agent adds to them.
        headers: { ...headers },
        body,
      });
    },
    close() {
      void opened.then((dispatcher) => {
        // undici would keep a pending connection until its connect timeout, so its socket is destroyed here.
        for (const socket of sockets) socket.destroy();
        return dispatcher?.destroy();
      });
    },
  };
}

async function openDispatcher(
  { tls, proxy, timeouts }: Pick<UpstreamOptions, "tls" | "proxy" | "timeouts">,
  track: (connector: Connector) => Connector,
): Promise<Dispatcher> {
  const { Agent, Client, Pool, ProxyAgent, buildConnector } = await import("undici");
  const secure = { ...tls, timeout: timeouts.connect };
  // The caller enforces the timeouts of the response: that for the headers includes redirects, and `readStream` the
  // idle one.
  const common = { headersTimeout: 0, bodyTimeout: 0 };
  if (proxy === undefined) return new Agent({ ...common, connections: 1, connect: track(buildConnector(secure)) });
  return new ProxyAgent({
    ...common,
    uri: proxy,
    requestTls: secure,
    proxyTls: { timeout: timeouts.connect },
    clientFactory: (origin, { connect }: { connect?: Connector }) => new Pool(origin, { connect: track(connect!) }),
    factory: (origin, { connect }: { connect?: Connector }) =>
      new Client(origin, { ...common, connect: once(connect!) }),
  });
}

/**
 * Wraps a connector so that its failures are final. undici considers some of its own errors transient, and reconnects
 * immediately and indefinitely: it would flood a proxy that closes the connection instead of opening a tunnel.
 */
function once(connector: Connector): Connector {
  return (options, callback) =>
    connector(options, (...[cause, socket]) =>
      cause ? callback(new Error("cannot open a tunnel through the proxy", { cause }), null) : callback(null, socket),
    );
}

/** Wraps a connector so that its open sockets are in `sockets`. */
function tracked(connector: Connector, sockets: Set<Socket>): Connector {
  return (options, callback) => {
    // undici's connectors return their socket, but its types do not declare this.
    const socket = connector(options, callback) as unknown as Socket;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  };
}
