import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { onTestFinished } from "vitest";
import { portOf } from "./ports.ts";

/** A request to an {@link ApiServer}. */
export interface ApiRequest {
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage["headers"];
}

/** An HTTP server whose answers a test changes while it runs. */
export interface ApiServer {
  readonly url: string;
  readonly requests: readonly ApiRequest[];
  /** Sets the answer to all further requests. */
  answer(answer: ApiAnswer): void;
  /** Destroys all connections. */
  cut(): void;
}

export type ApiAnswer = (response: ServerResponse, request: ApiRequest) => void;

/** Answers with JSON. */
export function json(value: unknown, headers: Readonly<Record<string, string>> = {}): ApiAnswer {
  return (response) => {
    response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
  };
}

/** Starts a server on a free port of 127.0.0.1, and closes it after the test. */
export async function startApi(first: ApiAnswer): Promise<ApiServer> {
  const requests: ApiRequest[] = [];
  let current = first;
  const server = createServer((incoming, response) => {
    const { searchParams } = new URL(incoming.url ?? "/", "http://localhost");
    const request = { query: Object.fromEntries(searchParams), headers: incoming.headers };
    requests.push(request);
    response.on("error", () => {});
    current(response, request);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return {
    url: `http://127.0.0.1:${portOf(server)}/api`,
    requests,
    answer: (next) => void (current = next),
    cut: () => server.closeAllConnections(),
  };
}
