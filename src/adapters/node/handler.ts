import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { pipeline, type Writable } from "node:stream";
import { SpillwayError } from "../../errors.ts";
import type {
  BodyForm,
  HandlerOptions,
  HttpFile,
  HttpHeaders,
  HttpRequest,
  HttpResponse,
  HttpUpgrade,
  OriginalRequest,
} from "../../http/message.ts";
import type { HttpHandler } from "../../http/handler.ts";
import { problem } from "../../http/problem.ts";
import { hasBody, isArriving, readBody, forwardedBody } from "./body.ts";
import { assertForwardable } from "./framing.ts";
import { openHttp1, openHttp2 } from "./sink.ts";
import { closeSignal, onGone } from "../connections.ts";
import { withoutMount } from "../mount.ts";
import { splitTarget } from "../raw/request-head.ts";

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** A handler for `node:http`, `node:https`, the compatibility API of `node:http2`, and Express-like frameworks. */
export type NodeHandler = (request: Request, response: Response, next?: (error?: unknown) => void) => void;

/** Options of a handler for Node's servers. */
export interface NodeOptions extends HandlerOptions<Request> {
  /** The client's address, as a framework knows it from its proxies. Default: the connection's. */
  readonly address?: ((request: Request) => string | undefined) | undefined;
  /** Whether the client's connection is encrypted, as a framework knows it. Default: whether this connection is. */
  readonly isSecure?: ((request: Request) => boolean) | undefined;
  /** Called when the gateway is about to answer, but not before `next` is called. */
  readonly beforeResponse?: (() => void) | undefined;
}

/** Serves a gateway through Node's servers. Unknown paths go to `next`, or are answered with 404. */
export function toNodeHandler(handler: HttpHandler, options: NodeOptions = {}): NodeHandler {
  return (request, response, next) => {
    handler(new NodeRequest(request, response, next !== undefined, options))
      .then((answer) => {
        if (isGone(response)) {
          if (answer) discard(answer);
          return;
        }
        if (!answer && next) return next();
        options.beforeResponse?.();
        send(answer ?? problem(new SpillwayError("not-found")), request, response);
      })
      .catch(next ?? (() => response.destroy()));
  };
}

/** Releases what a response holds that nobody will get. */
function discard(answer: HttpResponse): void {
  if ("open" in answer) answer.abandon();
  else if ("file" in answer) answer.file.destroy();
  else if ("peer" in answer) answer.peer.destroy();
}

/** Checks the underlying stream or socket: an HTTP/2 or queued pipelined response does not show its own closing. */
function isGone(response: Response): boolean {
  // The server itself has answered, because the request took too long.
  if (response.writableEnded) return true;
  return isHttp2(response) ? response.stream.destroyed : response.req.socket.destroyed;
}

/**
 * Does not rely on the request's `httpVersion`, which is what the client wrote: "HTTP/2.0" may arrive on any
 * connection.
 */
function isHttp2(response: Response): response is Http2ServerResponse {
  return "stream" in response;
}

/** A class, because one is created per request: an object literal with accessors takes several times as long. */
class NodeRequest implements HttpRequest {
  readonly isShared: boolean;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly #target: string;
  readonly #request: Request;
  readonly #response: Response;
  readonly #options: NodeOptions;

  constructor(request: Request, response: Response, isShared: boolean, options: NodeOptions) {
    this.isShared = isShared;
    this.method = request.method ?? "GET";
    this.#target = originForm(request.url ?? "/");
    const { path, query } = splitTarget(this.#target);
    this.path = withoutMount(path, options.mount);
    this.query = query;
    this.#request = request;
    this.#response = response;
    this.#options = options;
  }

  get grant(): HttpRequest["grant"] {
    const { grant } = this.#options;
    return grant && (() => grant(this.#request));
  }

  get maxDuration(): number | undefined {
    return this.#options.maxDuration;
  }

  get mount(): string {
    // The path at which Express mounted the handler.
    return this.#options.mount ?? (this.#request as { readonly baseUrl?: string }).baseUrl ?? "";
  }

  get secure(): boolean {
    const { isSecure } = this.#options;
    if (isSecure) return isSecure(this.#request);
    return (this.#request.socket as { readonly encrypted?: boolean }).encrypted === true;
  }

  get address(): string | undefined {
    const { address } = this.#options;
    return address ? address(this.#request) : this.#request.socket.remoteAddress;
  }

  header(name: string): string | undefined {
    const { headers } = this.#request;
    // HTTP/2 calls it `:authority` (RFC 9113 §8.3.1).
    const value = headers[name] ?? (name === "host" ? headers[":authority"] : undefined);
    return Array.isArray(value) ? value.join(", ") : value;
  }

  body(limit: number, take: (bytes: number) => void, form: BodyForm): Promise<Buffer> {
    return readBody(this.#request, this.#response, limit, take, form);
  }

  get original(): OriginalRequest {
    const response = this.#response;
    if (!isHttp2(response)) assertForwardable(this.#request as IncomingMessage, response);
    // The route has times of its own, which may be longer than a server's.
    (isHttp2(response) ? response.stream : this.#request.socket).setTimeout(0);
    return toOriginal(this.#request, response, this.#target);
  }

  // Listens on the response, because a request emits `close` as soon as its body has been read.
  get signal(): AbortSignal {
    const response = this.#response;
    return closeSignal(response, isGone(response), isHttp2(response) ? undefined : response.req.socket);
  }
}

function toOriginal(request: Request, response: Response, target: string): OriginalRequest {
  const mark = target.indexOf("?");
  return {
    version: isHttp2(response) ? "2" : request.httpVersion === "1.0" ? "1.0" : "1.1",
    search: mark === -1 ? "" : target.slice(mark),
    headers: isHttp2(response) ? withoutPseudoHeaders(request.rawHeaders) : request.rawHeaders,
    hasBody: hasBody(request),
    body: forwardedBody(request, response),
    upgrade: upgrades.has(request) ? "websocket" : undefined,
    onGone(listener, halfClose) {
      onGone(response, isGone(response), isHttp2(response) ? undefined : request.socket, halfClose, () => {
        listener();
        // A client that has only ended its side gets no response either.
        if (!isHttp2(response) && !response.headersSent) response.destroy();
      });
    },
    // HTTP/1.0 has no informational responses (RFC 9110 §15.2).
    ...(request.httpVersion !== "1.0" && { inform: (status, headers) => inform(response, status, headers) }),
  };
}

function withoutPseudoHeaders(headers: readonly string[]): string[] {
  return headers.filter((_, index) => !headers[index - (index % 2)]!.startsWith(":"));
}

function inform(response: Response, status: number, headers: HttpHeaders): void {
  if (response.headersSent || isGone(response)) return;
  // Node looks for `link` in lower case.
  const fields = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  try {
    if (isHttp2(response)) response.stream.additionalHeaders({ ":status": status, ...fields });
    else if (status === 103) response.writeEarlyHints(fields);
  } catch {
    // Node refuses a `Link` of an unusual form. The response itself is not affected.
  }
}

/** Clients may also send the whole URL, as they do to a proxy (RFC 9112 §3.2.2). */
function originForm(target: string): string {
  if (target.startsWith("/") || !URL.canParse(target)) return target;
  const { pathname, search } = new URL(target);
  return pathname + search;
}

/** Requests whose connections can change to WebSocket, with the bytes that followed them. */
const upgrades = new WeakMap<Request, Buffer>();

/** Lets the response to a request change its connection's protocol to WebSocket. `head`: what followed the request. */
export function allowUpgrade(request: IncomingMessage, head: Buffer): void {
  upgrades.set(request, head);
}

/** Sends a response. */
export function send(answer: HttpResponse, request: Request, response: Response): void {
  if ("file" in answer) return sendFile(answer, response);
  if ("peer" in answer) return changeProtocol(answer, request as IncomingMessage, response as ServerResponse);
  if ("open" in answer) {
    if (answer.endsConnection && !isHttp2(response)) response.shouldKeepAlive = false;
    response.writeHead(answer.status, answer.headers);
    return isHttp2(response) ? openHttp2(response, answer.open) : openHttp1(response, answer.open);
  }
  const { body } = answer;
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
  if (body !== undefined) response.setHeader("content-length", Buffer.byteLength(body));
  response.statusCode = answer.status;
  // The body is too large, or all bodies together are.
  if ((answer.status === 413 || answer.status === 503) && isArriving(request))
    return refuseBody(body ?? "", request, response);
  response.end(request.method === "HEAD" ? "" : (body ?? ""));
}

/** Joins the client's connection with the peer's. When one side ends or fails, so does the other. */
function changeProtocol(
  { headers, peer, idle }: HttpUpgrade,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { socket } = request;
  response.detachSocket(socket);
  const fields = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((item) => `${name}: ${item}\r\n`),
  );
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields.join("")}\r\n`, "latin1");
  socket.unshift(upgrades.get(request)!);
  const cut = (): void => {
    socket.destroy();
    peer.destroy();
  };
  // Either direction counts: what one side reads, the other writes.
  socket.setTimeout(idle, cut);
  pipeline(socket, peer, socket, cut);
}

function sendFile({ status, headers, file }: HttpFile, response: Response): void {
  response.writeHead(status, headers);
  // If either side fails, `pipeline` destroys the other.
  pipeline(file, response as Writable, () => {});
}

/** How long a client may continue to send a body that was refused, in ms. */
const patience = 2000;

/**
 * Answers while the body is still arriving, and keeps reading for a while: a client that sends the whole body before it
 * reads would otherwise get a connection reset instead of the response.
 */
function refuseBody(body: string, request: Request, response: Response): void {
  // The rest of the body would be parsed as the next request.
  if (!isHttp2(response)) response.setHeader("connection", "close");
  (response as ServerResponse).write(body);
  const end = (): void => void response.end();
  const timer = setTimeout(end, patience);
  request.resume().once("end", () => {
    clearTimeout(timer);
    end();
  });
}
