import { STATUS_CODES, type Server } from "node:http";
import type { Socket } from "node:net";
import { SpillwayError } from "../errors.ts";
import type { HttpBody, HttpHeaders, HttpRequest } from "../http/message.ts";
import { problem } from "../http/problem.ts";
import type { HttpHandler } from "../http/routes.ts";
import { trackConnections, type Connections } from "./connections.ts";
import { openPlain } from "./node-sink.ts";
import { readPlainGet, type RequestHead } from "./request-head.ts";
import { httpDate } from "./http-date.ts";
import { closeSignal, splitTarget } from "./request-parts.ts";

/** How long a connection may take to say something, in ms; Node's own limits begin once its parser has it. */
const silenceLimit = 60_000;

/**
 * Serves the subscriptions of an HTTP server straight from its sockets. A connection whose first bytes are one plain GET for a
 * stream gets no parser, request and response, which need more memory than all the rest of a subscriber. Every other connection
 * goes to Node's HTTP, as if nothing had happened.
 */
export function servePlainStreams(server: Server, handler: HttpHandler): Connections {
  const listeners = server.listeners("connection") as Array<(socket: Socket) => void>;
  server.removeAllListeners("connection");
  const connections = trackConnections(server);
  server.on("connection", (socket: Socket) => {
    socket.on("error", ignore).on("end", cut).once("data", onFirstBytes).setTimeout(silenceLimit, cut);
  });
  return connections;

  function onFirstBytes(this: Socket, bytes: Buffer): void {
    this.setTimeout(0, cut);
    const head = readPlainGet(bytes);
    if (head && asksForStream(head)) return serve(this, head);
    this.off("error", ignore).off("end", cut).unshift(bytes);
    for (const listener of listeners) listener.call(server, this);
  }

  function serve(socket: Socket, head: RequestHead): void {
    connections.begin(socket);
    handler(new PlainRequest(head, socket)).then(
      (answer = problem(new SpillwayError("not-found"))) => {
        if (socket.destroyed) return;
        if ("open" in answer)
          return openPlain(socket, writeHead(200, answer.headers, "Transfer-Encoding: chunked"), answer.open);
        socket.write(wholeResponse(answer));
        socket.destroySoon();
      },
      () => socket.destroy(),
    );
  }
}

/** A broken connection is closed; there is nobody to tell. */
function ignore(): void {}

/** Node's HTTP servers leave a socket half open when its client has ended: the end is then up to us. */
function cut(this: Socket): void {
  this.destroy();
}

function asksForStream({ target, headers }: RequestHead): boolean {
  const accept = headers.get("accept") ?? "";
  // A long poll is likely to be the first of many on its connection: Node's HTTP keeps that open.
  return /^\/(streams\/|api\/sse)/.test(target) && !/application\/json/i.test(accept);
}

/** A class, since it is made for every connection: literals with accessors and spread members take ten times as long. */
class PlainRequest implements HttpRequest {
  readonly method = "GET";
  readonly path: string;
  readonly query: URLSearchParams;
  readonly #headers: RequestHead["headers"];
  readonly #socket: Socket;

  constructor({ target, headers }: RequestHead, socket: Socket) {
    const { path, query } = splitTarget(target);
    this.path = path;
    this.query = query;
    this.#headers = headers;
    this.#socket = socket;
  }

  header(name: string): string | undefined {
    return this.#headers.get(name);
  }

  async body(): Promise<string> {
    return "";
  }

  get signal(): AbortSignal {
    return closeSignal(this.#socket);
  }
}

/** A head as Node writes it. The connection ends with the answer: nothing else was asked for on it. */
function writeHead(status: number, headers: HttpHeaders, framing: string): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
  for (const name in headers) text += `${name}: ${headers[name]}\r\n`;
  return `${text}Date: ${httpDate()}\r\nConnection: close\r\n${framing}\r\n\r\n`;
}

function wholeResponse({ status, headers, body = "" }: HttpBody): string {
  return writeHead(status, headers, `Content-Length: ${Buffer.byteLength(body)}`) + body;
}
