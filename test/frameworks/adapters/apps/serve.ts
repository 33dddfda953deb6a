import { once } from "node:events";
import { request, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import type { EmbeddedGateway } from "../../../../src/index.ts";
import type { App } from "../app.ts";

/** Starts a server, which is closed as the guides say: the gateway is drained first. */
export async function serve(server: Server, gateway: EmbeddedGateway): Promise<App> {
  if (!server.listening) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }
  return {
    request: requestTo(server),
    async close() {
      const closed = once(server, "close");
      await gateway.drain();
      server.close();
      await closed;
    },
  };
}

/**
 * Requests to a server that listens. `fetch` would leave connections that it never uses, for which Node's servers wait when
 * they close.
 */
export function requestTo(server: { address(): unknown }): App["request"] {
  const { port } = server.address() as AddressInfo;
  return (path, { body, ...init } = {}) =>
    new Promise((resolve, reject) => {
      const sent = request({ host: "127.0.0.1", port, path, ...init }, (incoming) =>
        resolve(toResponse(incoming, init.method)),
      );
      sent.on("error", reject).end(body);
    });
}

function toResponse(incoming: IncomingMessage, method: string | undefined): Response {
  const { statusCode: status = 0, headersDistinct } = incoming;
  const headers = Object.entries(headersDistinct).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value]),
  );
  if (method !== "HEAD" && status !== 204)
    return new Response(Readable.toWeb(incoming) as ReadableStream<Uint8Array>, { status, headers });
  incoming.resume();
  return new Response(null, { status, headers });
}
