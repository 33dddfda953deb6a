import { STATUS_CODES, type Server } from "node:http";
import type { Socket } from "node:net";
import { SpillwayError } from "../../errors.ts";
import type { HttpBody, HttpHeaders, HttpRequest } from "../../http/message.ts";
import { problem } from "../../http/problem.ts";
import type { HttpHandler } from "../../http/handler.ts";
import { createSlicedQueue } from "../../util/event-loop.ts";
import { acceptHandles, createSilenceWatch, type HandleConnection } from "./handle-connections.ts";
import { closeSignal, connectionEvent, speaksHttp2, trackConnections, type Connections } from "../connections.ts";
import { readPlainGet, splitTarget, type RequestHead } from "./request-head.ts";
import { directHandle } from "./tcp-handle.ts";
import { WritableSink, type OpenSink } from "./writable-sink.ts";

/**
 * Subscriptions started per turn of the event loop: one to two milliseconds of work. Measured with 1,000 clients that
 * reconnect at once: the p99 latency of live events is 42 ms, and 250 ms if all subscriptions start in one turn.
 */
const begunAtOnce = 16;

/** What a connection may send before it is served. Larger requests go to Node's HTTP. */
export interface HeadLimits {
  /** The largest request target and the largest head, in bytes. */
  readonly url: number;
  readonly headers: number;
  /** How long a connection may send nothing, in ms. Node's HTTP enforces the time for the rest of a head. */
  readonly timeouts: { readonly headers: number };
}

export interface RawListenerOptions {
  /** Called for each connection. */
  limits(): HeadLimits;
  /** Whether the gateway has streams. Without them, a route may have their paths. */
  hasStreams(): boolean;
  /** Takes a connection that speaks HTTP/2, and calls `onEnd` when it has ended. */
  serveHttp2(socket: Socket, onEnd: () => void): void;
}

/**
 * Serves the subscriptions of an HTTP server directly from its sockets. A connection whose first bytes are one plain
 * GET for a stream gets no parser, request and response objects, which need more memory than the rest of a subscriber.
 * Every other connection is passed on to Node's HTTP unchanged.
 */
export function serveRawStreams(server: Server, handler: HttpHandler, options: RawListenerOptions): Connections {
  const event = connectionEvent(server);
  const listeners = server.listeners(event) as Array<(socket: Socket) => void>;
  server.removeAllListeners(event);
  const connections = trackConnections(server);
  server.on(event, (socket: Socket) => {
    if (speaksHttp2(socket)) return options.serveHttp2(socket, connections.begin(socket));
    // As Node's HTTP does without TLS. During the handshake, and with HTTP/2, the end of one side closes the
    // connection.
    socket.allowHalfOpen = true;
    socket.on("error", ignore).on("end", cut).once("data", onFirstBytes);
    socket.setTimeout(options.limits().timeouts.headers, cut);
  });
  const serveInTurn = createSlicedQueue<Arrival>(begunAtOnce, serve);
  const silence = createSilenceWatch(() => options.limits().timeouts.headers);
  if (event === "connection") acceptHandles(server, { onOpen, onFirstBytes: takeFirst });
  return connections;

  function onOpen(connection: HandleConnection): void {
    connections.add(connection);
    silence.add(connection);
  }

  function takeFirst(connection: HandleConnection, bytes: Buffer): boolean {
    silence.remove(connection);
    const head = readOurs(bytes);
    if (head) admit(connection, head);
    return head !== undefined;
  }

  function onFirstBytes(this: Socket, bytes: Buffer): void {
    this.setTimeout(0, cut);
    const head = readOurs(bytes);
    if (head) return admit(this.off("end", cut), head);
    this.off("error", ignore).off("end", cut).unshift(bytes);
    for (const listener of listeners) listener.call(server, this);
  }

  function readOurs(bytes: Buffer): RequestHead | undefined {
    const head = readPlainGet(bytes);
    return head && options.hasStreams() && asksForStream(head) && fits(bytes, head) ? head : undefined;
  }

  function fits({ length }: Buffer, { target }: RequestHead): boolean {
    const { url, headers } = options.limits();
    return target.length <= url && length <= headers;
  }

  function admit(connection: Socket | HandleConnection, head: RequestHead): void {
    connections.begin(connection);
    serveInTurn({ connection, head });
  }

  function serve({ connection, head }: Arrival): void {
    if (connection.destroyed) return;
    handler(new PlainRequest(head, connection))
      .then((answer = problem(new SpillwayError("not-found"))) => {
        // The paths of streams serve no files.
        if ("file" in answer || "peer" in answer) return void connection.destroy();
        if (connection.destroyed) {
          if ("open" in answer) answer.abandon();
          return;
        }
        if ("open" in answer)
          return openRaw(connection, writeHead(200, answer.headers, "Transfer-Encoding: chunked"), answer.open);
        connection.write(Buffer.from(wholeResponse(answer)));
        connection.destroySoon();
      })
      .catch(() => void connection.destroy());
  }
}

/** A connection that requests a stream. */
interface Arrival {
  readonly connection: Socket | HandleConnection;
  readonly head: RequestHead;
}

/** Node closes a broken connection, and there is nothing else to do. */
function ignore(): void {}

/** Node's HTTP servers leave a socket half open when the client ends its side, so Spillway must close it. */
function cut(this: Socket): void {
  this.destroy();
}

function asksForStream({ target, headers }: RequestHead): boolean {
  const accept = headers.get("accept") ?? "";
  // A long poll is likely to be followed by others on its connection: Node's HTTP keeps the connection open.
  return /^\/(streams\/|api\/sse(?=$|[/?]))/.test(target) && !/application\/json/i.test(accept);
}

/**
 * A class, because one is created per connection: an object literal with accessors and spread takes ten times as long.
 */
class PlainRequest implements HttpRequest {
  readonly method = "GET";
  readonly mount = "";
  readonly path: string;
  readonly query: URLSearchParams;
  readonly #headers: RequestHead["headers"];
  readonly #connection: Socket | HandleConnection;

  constructor({ target, headers }: RequestHead, connection: Socket | HandleConnection) {
    const { path, query } = splitTarget(target);
    this.path = path;
    this.query = query;
    this.#headers = headers;
    this.#connection = connection;
  }

  header(name: string): string | undefined {
    return this.#headers.get(name);
  }

  get secure(): boolean {
    return "encrypted" in this.#connection;
  }

  get address(): string | undefined {
    return this.#connection.remoteAddress;
  }

  async body(): Promise<Buffer> {
    return Buffer.alloc(0);
  }

  get signal(): AbortSignal {
    return closeSignal(this.#connection, this.#connection.destroyed, this.#connection);
  }
}

/** A head as Node writes it. The connection ends with the response, since it carries no other request. */
function writeHead(status: number, headers: HttpHeaders, framing: string): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
  for (const name in headers) text += `${name}: ${String(headers[name])}\r\n`;
  return `${text}Date: ${httpDate()}\r\nConnection: close\r\n${framing}\r\n\r\n`;
}

function wholeResponse({ status, headers, body = "" }: HttpBody): string {
  return writeHead(status, headers, `Content-Length: ${Buffer.byteLength(body)}`) + body;
}

/** HTTP/1.1 without Node's HTTP: the connection carries only this response, starting with its head. */
function openRaw(connection: Socket | HandleConnection, head: string, open: OpenSink): void {
  const end = (): void => {
    connection.write(lastChunk);
    // The gateway closes the connection, because the client may not.
    connection.destroySoon();
  };
  const sink = new WritableSink(connection, true, end, Buffer.from(head, "latin1"));
  sink.goDirect("tcp" in connection ? connection.tcp : directHandle(connection));
  sink.start(connection, open, connection);
}

/** RFC 9112 §7.1. */
const lastChunk = Buffer.from("0\r\n\r\n");

let second = 0;
let text = "";

/** The value of a `Date` header (RFC 9110 §6.6.1), formatted once per second. */
function httpDate(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) text = new Date(now * 1000).toUTCString();
  second = now;
  return text;
}
