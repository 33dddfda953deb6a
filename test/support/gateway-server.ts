import { once } from "node:events";
import { createServer } from "node:http";
import { createGateway, type Gateway, type GatewayConfig } from "../../src/index.ts";
import { portOf } from "./ports.ts";

/** A gateway in this process, mounted in a server of `node:http`. */
export interface GatewayServer {
  readonly gateway: Gateway;
  readonly port: number;
  /** Without a slash at its end. */
  readonly url: string;
  /** The `Last-Event-ID` of each request to a stream, in order; `undefined` if it had none. */
  readonly resumed: readonly (string | undefined)[];
  /** Method and target of each request to a stream, in order. */
  readonly requests: readonly string[];
  /** Idempotent. */
  close(): Promise<void>;
}

export interface GatewayServerOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** The HTML to answer `/` with. */
  readonly page?: string;
  /** Returns the changes when the configuration is read again. */
  readonly change?: () => Partial<GatewayConfig>;
}

export async function serveGateway(config: GatewayConfig, options: GatewayServerOptions = {}): Promise<GatewayServer> {
  const { change } = options;
  const gateway = await createGateway(config, change && { readConfig: () => ({ ...config, ...change() }) });
  const handle = gateway.node();
  const resumed: (string | undefined)[] = [];
  const requests: string[] = [];
  const server = createServer((request, response) => {
    if (request.url === "/" && options.page !== undefined) {
      response.setHeader("content-type", "text/html; charset=utf-8").end(options.page);
      return;
    }
    if (request.url?.startsWith("/streams/")) {
      resumed.push(request.headers["last-event-id"]?.toString());
      requests.push(`${request.method} ${request.url}`);
    }
    handle(request, response);
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  let closed: Promise<void> | undefined;
  return {
    gateway,
    port,
    url: `http://127.0.0.1:${port}`,
    resumed,
    requests,
    close: () => (closed ??= close()),
  };

  async function close(): Promise<void> {
    await gateway.close();
    const ended = once(server, "close");
    server.close();
    server.closeAllConnections();
    await ended;
  }
}
