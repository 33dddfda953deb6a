import type { buildConnector, Pool } from "undici";
import type { Http1Client, Http1ClientOptions } from "../http1/client.ts";

/**
 * Sends requests to a server that may offer HTTP/2, with undici: over one connection for all if it does, else over
 * HTTP/1.1.
 */
export function createHttp2Client(url: URL, options: Http1ClientOptions): Http1Client {
  const opening = openPools(url, options);
  return {
    dispatch(request, handler, isFresh) {
      void opening.then(({ kept, fresh }) => {
        // undici takes any iterable.
        const body = (request.body ?? null) as Uint8Array | null;
        (isFresh ? fresh : kept).dispatch({ ...request, headers: [...request.headers], body }, handler);
      });
    },
    async close() {
      const { kept, fresh } = await opening;
      await Promise.all([kept, fresh].map((pool) => pool.close().catch(() => {})));
    },
    destroy() {
      void opening.then(({ kept, fresh }) => [kept, fresh].forEach((pool) => void pool.destroy()));
    },
  };
}

interface Pools {
  /** Keeps its connections for further requests. */
  readonly kept: Pool;
  /** Opens a connection for each request. */
  readonly fresh: Pool;
}

async function openPools({ origin }: URL, { connectTimeout, idleTimeout, tls }: Http1ClientOptions): Promise<Pools> {
  const undici = await import("undici");
  const connect = endingWithRequest(undici.buildConnector({ ...tls, timeout: connectTimeout, allowH2: true }));
  // The relay has timeouts of its own.
  const common = { connect, allowH2: true, headersTimeout: 0, bodyTimeout: 0, connections: null };
  return {
    kept: new undici.Pool(origin, { ...common, keepAliveTimeout: idleTimeout }),
    fresh: new undici.Pool(origin, { ...common, pipelining: 0 }),
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
