import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { portOf } from "./ports.ts";

/** A request as it arrived. */
export interface ScriptedRequest {
  readonly method: string | undefined;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  /** When it arrived, in ms since 1970. */
  readonly at: number;
}

/** Answers a request. */
export type Script = (response: ServerResponse, request: ScriptedRequest) => void;

export interface ScriptedServer {
  readonly url: string;
  readonly requests: readonly ScriptedRequest[];
  close(): Promise<void>;
}

/** A server that answers the first request by the first script, and so on; all later ones by the last. */
export async function startScriptedServer(...scripts: readonly Script[]): Promise<ScriptedServer> {
  const requests: ScriptedRequest[] = [];
  const server = createServer((request, response) => {
    const at = Date.now();
    response.on("error", () => {});
    void text(request).then((body) => {
      const { method, headers } = request;
      const url = new URL(request.url ?? "/", "http://x");
      const script = scripts[Math.min(requests.length, scripts.length - 1)]!;
      const arrived = { method, url, headers, body, at };
      requests.push(arrived);
      script(response, arrived);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${portOf(server)}/`,
    requests,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const streamType = { "content-type": "text/event-stream" };

/** Answers with these bytes of a stream, and leaves it open. */
export function streaming(body: string, headers: Readonly<Record<string, string>> = {}): Script {
  return (response) => {
    response.writeHead(200, { ...streamType, ...headers }).flushHeaders();
    response.write(body);
  };
}

/** Answers with a whole stream. */
export function ending(body: string, headers: Readonly<Record<string, string>> = {}): Script {
  return (response) => response.writeHead(200, { ...streamType, ...headers }).end(body);
}

/** Answers with the beginning of a stream, and breaks the connection. */
export function cutting(body: string): Script {
  return (response) => {
    response.writeHead(200, streamType).flushHeaders();
    response.write(body, () => setImmediate(() => response.socket?.resetAndDestroy()));
  };
}

/** Answers with a status. */
export function refusing(status: number, headers: Readonly<Record<string, string>> = {}, body = ""): Script {
  return (response) => response.writeHead(status, headers).end(body);
}
