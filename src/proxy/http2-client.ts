import { buildConnector, Pool } from "undici";
import type { Http1Client, Http1ClientOptions } from "../http1/client.ts";

/**
 * Sends requests to a server that may offer HTTP/2, with undici: over one connection for all if it does, else over
 * HTTP/1.1.
 */
export function createHttp2Client(
  { origin }: URL,
  { connectTimeout, idleTimeout, tls }: Http1ClientOptions,
): Http1Client {
  const connect = endingWithRequest(buildConnector({ ...tls, timeout: connectTimeout, allowH2: true }));
  // The relay has timeouts of its own.
  const common = { connect, allowH2: true, headersTimeout: 0, bodyTimeout: 0, connections: null };
  const pool = new Pool(origin, { ...common, keepAliveTimeout: idleTimeout });
  let fresh: Pool | undefined;
  const pools = (): Pool[] => (fresh ? [pool, fresh] : [pool]);

  return {
    dispatch(request, handler, isFresh) {
      if (isFresh) fresh ??= new Pool(origin, { ...common, pipelining: 0 });
      // undici takes any iterable.
      const body = (request.body ?? null) as Uint8Array | null;
      (isFresh ? fresh! : pool).dispatch({ ...request, headers: [...request.headers], body }, handler);
    },
    async close() {
      await Promise.all(pools().map((each) => each.close().catch(() => {})));
    },
    destroy() {
      for (const each of pools()) void each.destroy();
    },
  };
}

/**
 * When a request is aborted, undici closes its connection and then opens another one for it, of no use. It does not
 * where the connection ends with any other error than its own.
 */
function endingWithRequest(connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) =>
    connect(options, (...result) => {
      const [, socket] = result;
      if (socket) {
        const destroy = socket.destroy.bind(socket);
        socket.destroy = (error) => destroy(error?.message === "aborted" ? new Error("aborted") : error);
      }
      callback(...result);
    });
}
