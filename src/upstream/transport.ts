import type { Socket } from "node:net";
import { Agent, Client, Pool, ProxyAgent, buildConnector, type Dispatcher } from "undici";
import type { UpstreamRequest } from "./request.ts";
import type { UpstreamOptions } from "./upstream.ts";

/** The connections of one attempt: of its first request, of the redirects it follows, and to its proxy. */
export interface Transport {
  /** Resolves with the response's headers; its body is bounded by no timeout. */
  request(request: UpstreamRequest): Promise<Dispatcher.ResponseData>;
  /** Closes every connection now, one that is still being made included. Idempotent. */
  close(): void;
}

type Connector = buildConnector.connector;

/**
 * Makes the transport of one attempt. An event stream leaves nothing to reuse, so that a dispatcher for each attempt costs
 * nothing and no state of a broken one lives on.
 */
export function createTransport(options: Pick<UpstreamOptions, "tls" | "proxy" | "timeouts">): Transport {
  const sockets = new Set<Socket>();
  const dispatcher = createDispatcher(options, (connector) => tracked(connector, sockets));
  return {
    request: ({ url, method, headers, body = null }) =>
      // A copy of the headers, for undici's proxy agent adds to them.
      dispatcher.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: { ...headers },
        body,
      }),
    close() {
      // undici lets a connection that is being made run into its timeout; the source must not be kept waiting for it.
      for (const socket of sockets) socket.destroy();
      void dispatcher.destroy();
    },
  };
}

function createDispatcher(
  { tls, proxy, timeouts }: Pick<UpstreamOptions, "tls" | "proxy" | "timeouts">,
  track: (connector: Connector) => Connector,
): Dispatcher {
  const secure = { ...tls, timeout: timeouts.connect };
  // The time limits of the response are kept by the caller: they span redirects, and a silent body is for `readStream` to judge.
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
 * The same connector, but its failures are final. undici takes some of its own errors for passing ones and connects again, at once
 * and for ever: a proxy that hangs up instead of opening a tunnel would be stormed.
 */
function once(connector: Connector): Connector {
  return (options, callback) =>
    connector(options, (...[cause, socket]) =>
      cause ? callback(new Error("no tunnel", { cause }), null) : callback(null, socket),
    );
}

/** The same connector, but its sockets can be found while they are open. */
function tracked(connector: Connector, sockets: Set<Socket>): Connector {
  return (options, callback) => {
    // undici's connectors return their socket; only its types don't say so.
    const socket = connector(options, callback) as unknown as Socket;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  };
}
