import { STATUS_CODES, type Server } from "node:http";
import type { Socket } from "node:net";
import { SpillwayError } from "../../errors.ts";
import type { HttpBody, HttpHeaders, HttpRequest, HttpStream, OriginalRequest } from "../../http/message.ts";
import { problem } from "../../http/problem.ts";
import type { HttpHandler } from "../../http/handler.ts";
import { asksForEventStream } from "../../http/subscribe.ts";
import { createSlicedQueue } from "../../util/event-loop.ts";
import { acceptHandles, createSilenceWatch, type HandleConnection } from "./handle-connections.ts";
import {
  closeSignal,
  connectionEvent,
  onGone,
  speaksHttp2,
  trackConnections,
  type Connections,
} from "../connections.ts";
import { readPlainGet, splitTarget, type RequestHead } from "./request-head.ts";
import { directHandle } from "./tcp-handle.ts";
import { WritableSink, type EndSink } from "./writable-sink.ts";

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
  /** Whether requests for a path are forwarded to another server. */
  isForwarded(path: string): boolean;
  /** Takes a connection that speaks HTTP/2, and calls `onEnd` when it has ended. */
  serveHttp2(socket: Socket, onEnd: () => void): void;
}

/**
 * Serves the event streams of an HTTP server directly from its sockets, its own ones and forwarded ones. A connection
 * whose first bytes are one plain GET for a stream gets no parser, request and response objects, which need more memory than the rest of a subscriber.
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
    return head && isOurs(head) && fits(bytes, head) ? head : undefined;
  }

  function isOurs(head: RequestHead): boolean {
    if (options.hasStreams() && asksForStream(head)) return true;
    // Any other response is likely to be followed by a request on its connection, which only Node's HTTP keeps.
    return asksForEventStream(head.headers.get("accept")) && options.isForwarded(splitTarget(head.target).path);
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
    const request = new PlainRequest(head, connection);
    const { state } = request;
    handler(request)
      .then((answer = problem(new SpillwayError("not-found"))) => {
        state.isAnswered = true;
        // The paths of streams and routes serve no files.
        if ("file" in answer || "peer" in answer) return void connection.destroy();
        if (connection.destroyed) {
          if ("open" in answer) answer.abandon();
          return;
        }
        if ("open" in answer) return openRaw(connection, answer, state.isForwarded);
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
  readonly state: RequestState = { isAnswered: false, isForwarded: false };
  readonly #target: string;
  readonly #headers: RequestHead["headers"];
  readonly #connection: Socket | HandleConnection;

  constructor({ target, headers }: RequestHead, connection: Socket | HandleConnection) {
    const { path, query } = splitTarget(target);
    this.path = path;
    this.query = query;
    this.#target = target;
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

  get original(): OriginalRequest {
    const connection = this.#connection;
    this.state.isForwarded = true;
    return {
      version: "1.1",
      search: this.#target.slice(this.path.length),
      headers: [...this.#headers].flat(),
      hasBody: false,
      body: noChunks,
      onGone: (listener, halfClose) => watch(connection, this.state, halfClose, listener),
      inform(status, headers) {
        if (status === 103) connection.write(Buffer.from(`${writeFields(status, headers)}\r\n`, "latin1"));
      },
    };
  }
}

/** An object of its own: what listens to the connection refers to nothing else of the request. */
interface RequestState {
  isAnswered: boolean;
  /** Whether it was passed on to another server. */
  isForwarded: boolean;
}

/** Calls `listener` when the client has gone. One that has only ended its side then gets no response either. */
function watch(
  connection: Socket | HandleConnection,
  state: RequestState,
  halfClose: "leave" | "wait",
  listener: () => void,
): void {
  onGone(connection, connection.destroyed, connection, halfClose, () => {
    listener();
    if (!state.isAnswered) connection.destroy();
  });
}

const noChunks: AsyncIterable<Uint8Array> = { async *[Symbol.asyncIterator]() {} };

/** A head as Node writes it. The connection ends with the response, since it carries no other request. */
function writeHead(status: number, headers: HttpHeaders, framing: string): string {
  const date = "Date" in headers ? "" : `Date: ${httpDate()}\r\n`;
  return `${writeFields(status, headers)}${date}${framing}\r\n`;
}

/** A head without its empty line. */
function writeFields(status: number, headers: HttpHeaders): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
  for (const name in headers) {
    const value = headers[name]!;
    if (typeof value === "string") text += `${name}: ${value}\r\n`;
    else for (const item of value) text += `${name}: ${item}\r\n`;
  }
  return text;
}

function wholeResponse({ status, headers, body = "" }: HttpBody): string {
  // RFC 9110 §8.6: these have no body, and the length would be that of another response.
  const isSized = status !== 204 && status !== 304;
  const length = isSized ? `Content-Length: ${Buffer.byteLength(body)}\r\n` : "";
  return writeHead(status, headers, `Connection: close\r\n${length}`) + body;
}

/** HTTP/1.1 without Node's HTTP: the connection carries only this response, starting with its head. */
function openRaw(
  connection: Socket | HandleConnection,
  { status, headers, open }: HttpStream,
  isForwarded: boolean,
): void {
  const isChunked = !("Content-Length" in headers);
  const end: EndSink = (trailers) => {
    if (isChunked) connection.write(trailers ? Buffer.from(lastChunkWith(trailers), "latin1") : lastChunk);
    // The gateway closes the connection, because the client may not.
    connection.destroySoon();
  };
  // A forwarded response in chunks does not announce that it closes the connection: undici, and so the `fetch` of Node,
  // would take a cut of an announced close for the end of the response.
  const closing = isForwarded && isChunked ? "" : "Connection: close\r\n";
  const head = writeHead(status, headers, closing + (isChunked ? "Transfer-Encoding: chunked\r\n" : ""));
  const sink = new WritableSink(connection, isChunked, end, Buffer.from(head, "latin1"));
  sink.goDirect("tcp" in connection ? connection.tcp : directHandle(connection));
  sink.start(connection, open, connection);
  sink.flush();
}

function lastChunkWith(trailers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `0\r\n${lines.join("")}\r\n`;
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
