import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect, createServer as createHttp2Server, type ClientHttp2Session, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import type { FetchOptions, Gateway, GatewayConfig, GrantDecision, NodeOptions } from "spillway";
import { selfSigned, type Certificate } from "./self-signed.ts";

/** A request to a gateway, independent of the adapter. */
export interface DoorRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | ReadableStream<Uint8Array>;
  /** For a body that is a stream. */
  readonly duplex?: "half";
  readonly signal?: AbortSignal;
  /** For a redirect; HTTP/2 follows none here. */
  readonly redirect?: "manual";
}

/** One way to reach a gateway: every guarantee of the protocol is tested through each of them. */
export interface Door {
  readonly name: string;
  /** Whether the gateway itself listens, and stops listening when it is closed. */
  readonly listens?: boolean;
  request(path: string, init?: DoorRequest): Promise<Response>;
  close(): Promise<void>;
}

/** A kind of door. */
export interface DoorKind {
  readonly name: string;
  /** The configuration that a gateway behind such a door needs. */
  config?(): Pick<GatewayConfig, "listener" | "tls">;
  open(gateway: Gateway, options?: DoorOptions): Promise<Door>;
}

/** What a program decides where it embeds the gateway; a gateway's own server ignores it. */
export interface DoorOptions {
  readonly grant?: (header: (name: string) => string | undefined) => GrantDecision;
  readonly maxDuration?: number;
}

/** All doors. */
export const doors: readonly DoorKind[] = [
  { name: "http/1.1", open: openHttp1 },
  { name: "its own server", open: openListening },
  { name: "its own server with Node's HTTP", config: () => ({ listener: "node" }), open: openListening },
  { name: "http/2", open: openHttp2 },
  { name: "its own server with TLS", config: () => ({ tls: ownCertificate() }), open: openTls },
  { name: "fetch", open: openFetch },
];

/** One per adapter, for slow tests that do not depend on how the gateway is served. */
export const leastDoors: readonly DoorKind[] = doors.filter(({ name }) =>
  ["http/1.1", "its own server with TLS", "fetch"].includes(name),
);

/** Those of a gateway inside another program. */
export const embeddedDoors: readonly DoorKind[] = doors.filter(({ name }) =>
  ["http/1.1", "http/2", "fetch"].includes(name),
);

const toNode = ({ grant, maxDuration }: DoorOptions): NodeOptions => ({
  maxDuration,
  grant: grant && (({ headers }) => grant((name) => headers[name]?.toString())),
});

async function openHttp1(gateway: Gateway, options: DoorOptions = {}): Promise<Door> {
  const server = createServer(gateway.node(toNode(options)));
  const port = await listen(server);
  return {
    name: "http/1.1",
    request: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function openListening(gateway: Gateway): Promise<Door> {
  const { port } = await gateway.listen();
  return {
    name: "its own server",
    listens: true,
    request: (path, { headers, ...init } = {}) =>
      fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers: { accept: "text/event-stream", ...headers } }),
    close: async () => {},
  };
}

async function openHttp2(gateway: Gateway, options: DoorOptions = {}): Promise<Door> {
  const server = createHttp2Server(gateway.node(toNode(options)));
  const session = connect(`http://127.0.0.1:${await listen(server)}`);
  return {
    name: "http/2",
    request: requestOver(session),
    async close() {
      session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function openTls(gateway: Gateway): Promise<Door> {
  const { port } = await gateway.listen();
  const session = connect(`https://127.0.0.1:${port}`, { ca: ownCertificate().cert });
  // A gateway that closes disconnects clients that are still in their handshake.
  await once(session, "connect");
  return {
    name: "its own server with TLS",
    listens: true,
    request: requestOver(session),
    close: async () => session.destroy(),
  };
}

let certificate: Certificate | undefined;

/** Created once for all gateways in this process. */
function ownCertificate(): Certificate {
  return (certificate ??= selfSigned());
}

/** HTTP/2 requests with an interface like `fetch`. */
export function requestOver(session: ClientHttp2Session): Door["request"] {
  return (path, { method = "GET", headers = {}, body, signal } = {}) =>
    new Promise((resolve, reject) => {
      const options = { endStream: body === undefined, ...(signal && { signal }) };
      const stream = session.request({ ":method": method, ":path": path, ...headers }, options);
      stream.once("error", reject);
      stream.once("response", ({ ":status": status = 0, ...rest }) => {
        const entries = Object.entries(rest).flatMap(([name, value]) =>
          [value ?? []].flat().map((item): [string, string] => [name, item]),
        );
        const bodiless = method === "HEAD" || status === 204 || status === 304;
        const content = bodiless ? null : (Readable.toWeb(stream) as ReadableStream<Uint8Array>);
        resolve(new Response(content, { status, headers: entries }));
      });
      if (body instanceof ReadableStream) Readable.fromWeb(body as NodeReadableStream<Uint8Array>).pipe(stream);
      else if (body !== undefined) stream.end(body);
    });
}

async function openFetch(gateway: Gateway, { grant, maxDuration }: DoorOptions = {}): Promise<Door> {
  const options: FetchOptions = {
    maxDuration,
    grant: grant && (({ headers }) => grant((name) => headers.get(name) ?? undefined)),
  };
  return {
    name: "fetch",
    request: (path, init) => gateway.fetch(new Request(`http://gateway.test${path}`, init), options),
    close: async () => {},
  };
}

async function listen(server: Server | Http2Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}
