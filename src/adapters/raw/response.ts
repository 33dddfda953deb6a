import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Route } from "../../http/gateway-context.ts";
import type { HttpBody, HttpHeaders, HttpResponse, HttpStream } from "../../http/message.ts";
import type { SinkListener } from "../../hub/sink.ts";
import type { HandleConnection } from "./handle-connections.ts";
import type { RequestHead } from "./request-head.ts";
import type { Carrier } from "../connections.ts";
import { directHandle } from "./tcp-handle.ts";
import { WritableSink, type Trailers } from "./writable-sink.ts";

/** A connection that plain requests are read from. */
export type RawConnection = Socket | HandleConnection;

/** A request that has arrived. */
export interface Arrival {
  readonly connection: RawConnection;
  readonly head: RequestHead;
  /** The route by which it is passed on to another server; absent for a stream of the gateway. */
  readonly route: Route | undefined;
}

/** Whoever serves the connections. */
export interface ResponseOwner {
  /** How long a connection stays open between two requests, in ms. */
  readonly idle: number;
  /** Whether connections end with their responses, because the server stops. */
  isClosing(): boolean;
  /** The response has been sent, and the connection can carry another request. */
  onReusable(connection: HandleConnection): void;
}

/**
 * The response to one request, without Node's HTTP. Closes when it was sent, or with its connection; what refers to it
 * may last for days, so it refers to nothing of the request.
 */
export class RawResponse implements Carrier {
  /** Whether it was sent completely. */
  writableFinished = false;
  readonly #connection: RawConnection;
  readonly #owner: ResponseOwner;
  readonly #isHead: boolean;
  readonly #isForwarded: boolean;
  #isAnswered = false;
  #isPersistent = false;
  #isOpening = false;
  readonly #onClose: Array<() => void> = [];

  constructor({ connection, head, route }: Arrival, owner: ResponseOwner) {
    this.#connection = connection;
    this.#owner = owner;
    this.#isHead = head.method === "HEAD";
    this.#isForwarded = route !== undefined;
    connection.on("close", this.#close);
  }

  /** Whether the client has got, or is getting, a response that is not informational. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  get writableEnded(): boolean {
    return this.writableFinished;
  }

  on(_event: "close", listener: () => void): void {
    this.#onClose.push(listener);
  }

  /** Sends an informational response. */
  inform(status: number, headers: HttpHeaders): void {
    if (!this.#isAnswered) this.#connection.write(Buffer.from(`${writeFields(status, headers)}\r\n`, "latin1"));
  }

  send(answer: HttpResponse): void {
    this.#isAnswered = true;
    // The paths of streams and routes serve no files.
    if ("file" in answer || "peer" in answer) return void this.#connection.destroy();
    if (!this.#connection.destroyed) return this.#open("open" in answer ? answer : this.#whole(answer));
    if ("open" in answer) answer.abandon();
  }

  /** A complete response as a stream. */
  #whole({ status, headers, body }: HttpBody): Pick<HttpStream, "status" | "headers" | "open"> {
    // RFC 9110 §8.6: without a body of its own, the length would be that of another response.
    if (body === undefined && (this.#isHead || status === 204 || status === 304))
      return { status, headers, open: (sink) => (sink.end(), idle) };
    const payload = Buffer.from(body ?? "");
    return {
      status,
      headers: { ...headers, "Content-Length": String(payload.length) },
      open: (sink) => {
        if (!this.#isHead) sink.write({ payload, framed: payload });
        sink.end();
        return idle;
      },
    };
  }

  #open({ status, headers, open }: Pick<HttpStream, "status" | "headers" | "open">): void {
    const connection = this.#connection;
    const isHandle = "tcp" in connection;
    this.#isPersistent = isHandle && connection.isPersistent && !this.#owner.isClosing();
    const isChunked = !this.#isHead && status !== 204 && status !== 304 && !("Content-Length" in headers);
    const head = this.#head(status, headers, isChunked);
    const lastBytes = isChunked ? lastChunk : undefined;
    const sink = new WritableSink(connection, isChunked, () => this.#end(), { head, lastBytes });
    sink.goDirect(isHandle ? connection.tcp : directHandle(connection));
    this.#isOpening = true;
    sink.start(this, open, connection);
    sink.flush();
    this.#isOpening = false;
    if (this.writableFinished) this.#over();
  }

  /** A head as Node writes it. */
  #head(status: number, headers: HttpHeaders, isChunked: boolean): Buffer {
    const date = "Date" in headers ? "" : `Date: ${httpDate()}\r\n`;
    const framing = isChunked ? "Transfer-Encoding: chunked\r\n" : "";
    return Buffer.from(`${writeFields(status, headers)}${date}${this.#persistence(isChunked)}${framing}\r\n`, "latin1");
  }

  #persistence(isChunked: boolean): string {
    if (this.#isPersistent)
      return `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(this.#owner.idle / 1000)}\r\n`;
    // A forwarded response in chunks does not announce that it closes the connection: undici, and so the `fetch` of
    // Node, would take a cut of an announced close for the end of the response.
    return this.#isForwarded && isChunked ? "" : "Connection: close\r\n";
  }

  #end(): void {
    this.writableFinished = true;
    if (!this.#isOpening) this.#over();
  }

  #over(): void {
    const connection = this.#connection;
    connection.off("close", this.#close);
    this.#close();
    if (this.#isPersistent) this.#owner.onReusable(connection as HandleConnection);
    // The gateway closes the connection, because the client may not.
    else connection.destroySoon();
  }

  readonly #close = (): void => {
    for (const listener of this.#onClose) listener();
  };
}

/** For responses that are written at once. */
const idle: SinkListener = { onDrain() {}, onHalfClose() {}, onClose() {} };

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

/** The end of a body in chunks (RFC 9112 §7.1). */
function lastChunk(trailers: Trailers): Buffer {
  if (!trailers) return bareLastChunk;
  const lines = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`0\r\n${lines.join("")}\r\n`, "latin1");
}

const bareLastChunk = Buffer.from("0\r\n\r\n");

let second = 0;
let text = "";

/** The value of a `Date` header (RFC 9110 §6.6.1), formatted once per second. */
function httpDate(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) text = new Date(now * 1000).toUTCString();
  second = now;
  return text;
}
