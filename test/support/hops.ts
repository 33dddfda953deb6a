import { once } from "node:events";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createGzip, constants } from "node:zlib";
import { nginxMain } from "./nginx.ts";
import { portOf } from "./ports.ts";
import { type ProxyProgram, startProxy } from "./proxy-program.ts";

/** A hop between a client and a gateway that alters a stream in a harmful way. */
export interface Hop {
  /** Without a slash at its end. */
  readonly url: string;
  close(): Promise<void>;
}

/** @param configure makes the configuration for a port of 127.0.0.1 to listen on */
export async function startHop(program: ProxyProgram, configure: (port: number) => string): Promise<Hop> {
  const { port, close } = await startProxy(program, (place) => ({ [program.main]: configure(place.port) }));
  return { url: `http://127.0.0.1:${port}`, close };
}

/**
 * One location of nginx that passes everything on to a port, with directives of the test's own. It asks by HTTP/1.1; with 1.0,
 * which is its default, it knows no end of a piece and waits until a buffer is full.
 */
export function nginxTo(upstream: number, directives: string, version = "1.1"): (port: number) => string {
  return (port) =>
    nginxMain(`
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${upstream};
      proxy_http_version ${version};
      proxy_set_header Connection "";
      ${directives}
    }
  }`);
}

/** A frontend and a backend of HAProxy; `timeouts` are lines of its defaults. */
export function haproxyTo(upstream: number, timeouts: string): (port: number) => string {
  return (port) => `
defaults
  mode http
  timeout connect 5s
  ${timeouts}
frontend clients
  bind 127.0.0.1:${port}
  default_backend gateway
backend gateway
  server one 127.0.0.1:${upstream}
`;
}

/** A site of Caddy with directives of the test's own; `proxy` are lines of `reverse_proxy`. */
export function caddyTo(upstream: number, directives: string, proxy: string): (port: number) => string {
  return (port) => `
{
  admin off
}
http://127.0.0.1:${port} {
  ${directives}
  reverse_proxy 127.0.0.1:${upstream} {
    ${proxy}
  }
}
`;
}

/** How a Node server changes a response. It writes the head itself. */
export type Passage = (from: IncomingMessage, to: ServerResponse) => void;

/** A simple proxy, as applications have them. */
export async function startNodeHop(upstream: number, pass: Passage): Promise<Hop> {
  const server = createServer((incoming, outgoing) => {
    const { method, url: path, headers } = incoming;
    const sent = request({ host: "127.0.0.1", port: upstream, method, path, headers, agent: false });
    sent.on("response", (response) => pass(response, outgoing)).on("error", () => outgoing.destroy());
    outgoing.on("close", () => sent.destroy());
    incoming.pipe(sent);
  });
  return listening(server);
}

async function listening(server: Server): Promise<Hop> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** An event source independent of Spillway, with an event per interval, in ms, or none at all. */
export async function startPlainSource(ms: number | undefined): Promise<Hop> {
  const server = createServer((incoming, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" }).flushHeaders();
    if (incoming.method === "HEAD") return void response.end();
    if (ms === undefined) return undefined;
    const timer = setInterval(() => response.write("data: x\n\n"), ms);
    response.on("close", () => clearInterval(timer));
    return undefined;
  });
  return listening(server);
}

/** Compresses every response that the client accepts compressed; `flush` sends each piece at once. */
export function compressing(flush: boolean): Passage {
  return (from, to) => {
    const accepted = from.headers["content-type"]?.startsWith("text/") === true;
    if (!accepted || !/gzip/.test(String(to.req.headers["accept-encoding"]))) return passOn(from, to);
    const mode = flush ? { flush: constants.Z_SYNC_FLUSH } : {};
    to.writeHead(from.statusCode ?? 502, { ...from.headers, "content-encoding": "gzip" });
    to.flushHeaders();
    from.pipe(createGzip(mode)).pipe(to);
    return undefined;
  };
}

/** Delays responses by this time, in ms; a HEAD is answered at once. */
export function delaying(ms: number): Passage {
  return (from, to) => {
    if (to.req.method === "HEAD") return passOn(from, to);
    setTimeout(() => passOn(from, to), ms);
    return undefined;
  };
}

/** Sends the body only once per interval, in ms. */
export function inBursts(ms: number): Passage {
  return (from, to) => {
    to.writeHead(from.statusCode ?? 502, from.headers).flushHeaders();
    let held: Buffer[] = [];
    from.once("data", (first: Buffer) => {
      to.write(first);
      from.on("data", (piece: Buffer) => held.push(piece));
    });
    const timer = setInterval(() => {
      if (held.length > 0) to.write(Buffer.concat(held));
      held = [];
    }, ms);
    from.on("close", () => {
      clearInterval(timer);
      to.end(Buffer.concat(held));
    });
  };
}

/** Ends a stream properly after this time, in ms, like a limit on the whole response. */
export function endingAfter(ms: number): Passage {
  return (from, to) => {
    passOn(from, to);
    setTimeout(() => to.end(), ms);
  };
}

/** Resets a stream after this time, in ms; a HEAD is answered. */
export function resettingAfter(ms: number): Passage {
  return (from, to) => {
    passOn(from, to);
    setTimeout(() => to.socket?.resetAndDestroy(), ms);
  };
}

/** Removes these headers, in lower case. */
export function without(...names: readonly string[]): Passage {
  return (from, to) => {
    for (const name of names) delete from.headers[name];
    passOn(from, to);
  };
}

function passOn(from: IncomingMessage, to: ServerResponse): void {
  to.writeHead(from.statusCode ?? 502, from.headers).flushHeaders();
  from.pipe(to);
}
