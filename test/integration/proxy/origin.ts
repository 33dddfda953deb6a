import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { onTestFinished } from "vitest";
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

/** An origin whose event streams stay open. */
export interface StreamOrigin {
  readonly url: string;
  readonly requests: readonly IncomingMessage[];
  /** The event streams that are open. */
  readonly open: ReadonlySet<ServerResponse>;
  /** Sends an event on every open stream. */
  send(data: string): void;
}

/** Starts an origin that answers GET of `/feed…` with `hello` and an open event stream, until the end of the test. */
export async function startStreamOrigin(): Promise<StreamOrigin> {
  const open = new Set<ServerResponse>();
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    if (!request.url!.startsWith("/feed")) return void response.writeHead(404).end("none");
    if (request.method !== "GET") return void response.end(request.method);
    open.add(response.writeHead(200, { "content-type": "text/event-stream" }));
    response.write("id: 1\ndata: hello\n\n");
    response.once("close", () => open.delete(response));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const send = (data: string): void => open.forEach((response) => response.write(`data: ${data}\n\n`));
  return { url: `http://127.0.0.1:${portOf(server)}`, requests, open, send };
}
