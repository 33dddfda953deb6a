import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { onTestFinished } from "vitest";
import { portOf } from "./ports.ts";

/** A request that a {@link RunOrigin} has got. */
export interface OriginRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  /** Its response, for the test to write. */
  readonly response: ServerResponse;
  /** Writes to an event stream, whose head is sent first. */
  send(text: string): void;
  /** Whether the other side has closed the connection before the response was complete. */
  isAborted(): boolean;
  /** Resolves when it has. */
  readonly aborted: Promise<void>;
}

/** An API that answers POST requests with event streams, as the test says. */
export interface RunOrigin {
  readonly url: string;
  readonly requests: readonly OriginRequest[];
}

/** Starts an origin, and stops it after the test. `onRequest` answers; without it, the test does. */
export async function startRunOrigin(onRequest: (request: OriginRequest) => void = () => {}): Promise<RunOrigin> {
  const requests: OriginRequest[] = [];
  const server = createServer((request, response) => void answer(request, response));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let isAborted = false;
    const aborted = new Promise<void>((resolve) => {
      response.on("close", () => {
        if (response.writableFinished) return;
        isAborted = true;
        resolve();
      });
    });
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { method = "", url = "", headers } = request;
    const entry: OriginRequest = {
      method,
      url,
      headers,
      body: Buffer.concat(chunks).toString(),
      response,
      send(text) {
        if (!response.headersSent) response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
        response.write(text);
      },
      isAborted: () => isAborted,
      aborted,
    };
    requests.push(entry);
    onRequest(entry);
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return { url: `http://127.0.0.1:${portOf(server)}`, requests };
}
