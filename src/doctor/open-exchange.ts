import { request as requestHttp1, type IncomingMessage } from "node:http";
import { connect as connectHttp2, type ClientHttp2Session } from "node:http2";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { createRecorder, type Exchange, type ExchangeRecorder, type ExchangeRequest } from "./exchange.ts";

/**
 * Sends one request on a connection of its own: HTTP/2 where the server offers it in TLS, as browsers do, else HTTP/1.1.
 * Never rejects: what goes wrong is the exchange's end. Redirects are not followed.
 */
export function openExchange(request: ExchangeRequest): Exchange {
  let socket: Socket | undefined;
  let closed = false;
  const recorder = createRecorder(request.onPiece, () => {
    closed = true;
    socket?.destroy();
  });
  openSocket(request.url, ["h2", "http/1.1"], request.connectTimeout).then(
    (opened) => {
      socket = opened;
      if (closed) socket.destroy();
      else if (speaksHttp2(socket)) overHttp2(request, socket, recorder);
      else overHttp1(request, socket, recorder);
    },
    (error: unknown) => recorder.ended("unreachable", codeOf(error)),
  );
  return recorder;
}

function overHttp1({ url, method, headers, body }: ExchangeRequest, socket: Socket, recorder: ExchangeRecorder): void {
  const path = url.pathname + url.search;
  const sent = requestHttp1({ createConnection: () => socket, host: url.host, path, method, setHost: false });
  sent.setHeader("host", url.host);
  // As browsers ask; else a hop might close what it would have kept.
  sent.setHeader("connection", "keep-alive");
  for (const [name, value] of Object.entries(headers)) sent.setHeader(name, value);
  sent.on("error", (error) => recorder.ended(recorder.head ? "cut" : "unreachable", codeOf(error)));
  sent.on("response", (response: IncomingMessage) => {
    const { statusCode: status = 0, httpVersion: version, rawHeaders } = response;
    recorder.started({ status, version, fields: pairs(rawHeaders) });
    response.on("data", (piece: Buffer) => recorder.arrived(piece));
    response.on("error", (error) => recorder.ended("cut", codeOf(error)));
    response.on("close", () => recorder.ended(response.complete ? "complete" : "cut"));
  });
  sent.end(body);
}

function overHttp2({ url, method, headers, body }: ExchangeRequest, socket: Socket, recorder: ExchangeRecorder): void {
  const session: ClientHttp2Session = connectHttp2(url.origin, { createConnection: () => socket });
  const end = (how: "complete" | "cut", reason?: string): void => {
    recorder.ended(recorder.head ? how : "unreachable", reason);
    session.destroy();
  };
  session.on("error", (error: unknown) => end("cut", codeOf(error)));
  const stream = session.request({ ":method": method, ":path": url.pathname + url.search, ...headers });
  stream.on("response", (fields) => {
    const { ":status": status = 0, ...rest } = fields;
    const entries = Object.entries(rest).flatMap(([name, value]) => [value ?? []].flat().map((one) => [name, one]));
    recorder.started({ status, version: "2", fields: entries as [string, string][] });
  });
  stream.on("data", (piece: Buffer) => recorder.arrived(piece));
  let complete = false;
  stream.on("end", () => (complete = true));
  stream.on("error", (error: unknown) => end("cut", codeOf(error)));
  // A reset and a lost connection end the body too, but not without a code.
  stream.on("close", () => (complete && stream.rstCode === 0 ? end("complete") : end("cut", `RST ${stream.rstCode}`)));
  stream.end(body);
}

function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? ""]] : []));
}

function codeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}

/** Where a URL leads. */
interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Connects to a URL's host, with TLS where the scheme says so.
 * @param protocols what to offer for HTTP in TLS (ALPN)
 * @throws the socket's error; one with the code `ETIMEDOUT` after `timeout` ms.
 */
export function openSocket(url: URL, protocols: readonly string[], timeout: number): Promise<Socket> {
  const secure = url.protocol === "https:";
  const address = addressOf(url);
  const socket = secure
    ? connectTls({ ...address, ...serverName(address.host), ALPNProtocols: [...protocols] })
    : connectTcp(address);
  return new Promise((resolve, reject) => {
    const late = (): void => void socket.destroy(Object.assign(new Error("no connection"), { code: "ETIMEDOUT" }));
    const timer = setTimeout(late, timeout);
    socket.once("error", reject);
    socket.once("close", () => clearTimeout(timer));
    socket.once(secure ? "secureConnect" : "connect", () => {
      clearTimeout(timer);
      socket.off("error", reject);
      // Whoever uses it listens too; until then an error must not end the process.
      socket.on("error", () => {});
      resolve(socket);
    });
  });
}

/** Whether the two sides agreed on HTTP/2. */
function speaksHttp2(socket: Socket): boolean {
  return (socket as Partial<TLSSocket>).alpnProtocol === "h2";
}

function addressOf({ hostname, port, protocol }: URL): Address {
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port) };
}

/** An address is no name that a server could be asked for by. */
function serverName(host: string): { servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {};
}
