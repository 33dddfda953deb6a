import { STATUS_CODES, type Server } from "node:http";
import type { Socket } from "node:net";
import type { HttpBody, HttpHeaders, HttpRequest } from "../http/message.ts";
import type { HttpHandler } from "../http/routes.ts";
import { openPlain } from "./node-sink.ts";
import { readPlainGet, type RequestHead } from "./request-head.ts";

/** The connections that are served without Node's HTTP. */
export interface PlainStreams {
  /** Cuts them all. */
  destroy(): void;
}

/** How long a connection may take to say something, in ms; Node's own limits begin once its parser has it. */
const silenceLimit = 60_000;

/**
 * Serves the subscriptions of an HTTP server straight from its sockets. A connection whose first bytes are one plain GET for a
 * stream gets no parser, request and response, which need more memory than all the rest of a subscriber. Every other connection
 * goes to Node's HTTP, as if nothing had happened.
 */
export function servePlainStreams(server: Server, handler: HttpHandler): PlainStreams {
  const listeners = server.listeners("connection") as Array<(socket: Socket) => void>;
  const sockets = new Set<Socket>();

  function onFirstBytes(this: Socket, bytes: Buffer): void {
    this.setTimeout(0, cut);
    const head = readPlainGet(bytes);
    if (head && asksForStream(head)) return serve(this, head);
    this.off("error", ignore).off("end", cut).unshift(bytes);
    for (const listener of listeners) listener.call(server, this);
  }

  function serve(socket: Socket, head: RequestHead): void {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    handler(toHttpRequest(head, socket)).then(
      (answer) => {
        if (socket.destroyed || !answer) socket.destroy();
        else if ("open" in answer) openPlain(socket, writeHead(200, answer.headers, chunked), answer.open);
        else socket.end(wholeResponse(answer));
      },
      () => socket.destroy(),
    );
  }

  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    socket.on("error", ignore).on("end", cut).once("data", onFirstBytes).setTimeout(silenceLimit, cut);
  });
  return { destroy: () => sockets.forEach((socket) => socket.destroy()) };
}

/** A broken connection is closed; there is nobody to tell. */
function ignore(): void {}

/** Node's HTTP servers leave a socket half open when its client has ended: the end is then up to us. */
function cut(this: Socket): void {
  this.destroy();
}

function asksForStream({ target, headers }: RequestHead): boolean {
  const accept = headers.get("accept") ?? "";
  return /^\/(streams\/|api\/sse)/.test(target) && /text\/event-stream|ndjson/i.test(accept);
}

function toHttpRequest({ target, headers }: RequestHead, socket: Socket): HttpRequest {
  const mark = target.indexOf("?");
  return {
    method: "GET",
    path: mark === -1 ? target : target.slice(0, mark),
    query: new URLSearchParams(mark === -1 ? "" : target.slice(mark + 1)),
    header: (name) => headers.get(name),
    body: async () => "",
    get signal() {
      const gone = new AbortController();
      socket.once("close", () => gone.abort());
      return gone.signal;
    },
  };
}

const chunked = { "Transfer-Encoding": "chunked" };

/** A head as Node writes it. The connection ends with the answer: nothing else was asked for on it. */
function writeHead(status: number, headers: HttpHeaders, framing: HttpHeaders): string {
  const fields = { ...headers, Date: new Date().toUTCString(), Connection: "close", ...framing };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n`;
}

function wholeResponse({ status, headers, body = "" }: HttpBody): string {
  return writeHead(status, headers, { "Content-Length": String(Buffer.byteLength(body)) }) + body;
}
