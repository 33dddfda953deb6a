import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { portOf } from "../../support/ports.ts";

/** An origin of event streams over Node's HTTP. */
export interface HttpOrigin {
  readonly url: string;
  /** The headers of all requests. */
  readonly headers: IncomingHttpHeaders[];
  /** How a request is answered. Default: with an event stream that is open, and silent. */
  answer: (response: ServerResponse) => void;
  /** The response to the next request. */
  next(): Promise<ServerResponse>;
  close(): Promise<void>;
}

export async function startHttpOrigin(): Promise<HttpOrigin> {
  const headers: IncomingHttpHeaders[] = [];
  const waiting: Array<(response: ServerResponse) => void> = [];
  const server = createServer((request, response) => {
    headers.push(request.headers);
    origin.answer(response);
    waiting.shift()?.(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin: HttpOrigin = {
    url: `http://127.0.0.1:${portOf(server)}`,
    headers,
    answer(response) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.flushHeaders();
    },
    next: () => new Promise((resolve) => waiting.push(resolve)),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return origin;
}
