import { headerOf, type ResponseHead } from "./exchange.ts";

/** What can go wrong on the way, and is put right by a setting. */
export type Symptom = "delayed" | "buffered" | "compressed" | "cut";

/** A kind of server between a client and the stream. */
export interface Hop {
  readonly name: string;
  /** Response headers, one `name: value` with the name in lower case, that only it leaves. */
  readonly header?: RegExp;
  /** Its own answer to a malformed request. */
  readonly refusal?: RegExp;
  /** Another one that it is, if that has left a trace. */
  readonly unless?: string;
  /** It writes the names of headers in lower case also in HTTP/1.1. */
  readonly lowerCase?: true;
  /** What to set against each symptom; absent where it does not cause it. */
  readonly settings: Readonly<Partial<Record<Symptom, string>>>;
}

const nginxBuffering = "proxy_buffering off, proxy_http_version 1.1, and no proxy_ignore_headers X-Accel-Buffering";
const bodyless = "send the headers before the first event: flushHeaders(), and flush() after each write";

/** Known hops. A request meets the outer ones first, and so does this list. */
export const hops: readonly Hop[] = [
  {
    name: "Cloudflare",
    lowerCase: true,
    header: /^(cf-ray: |server: cloudflare)/,
    refusal: /server: cloudflare/i,
    settings: {
      delayed: "a cache rule that bypasses the cache, and no Worker that reads the whole body",
      buffered: "a cache rule that bypasses the cache, and no response buffering on the zone",
      compressed: "let Cache-Control: no-transform through, or a compression rule that leaves the path out",
      cut: "a heartbeat below 100 s, the time after which it gives up a silent origin",
    },
  },
  {
    name: "Amazon CloudFront",
    header: /^(x-amz-cf-(id|pop): |via: .*cloudfront)/,
    refusal: /cloudfront/i,
    settings: {
      buffered: "a cache policy without caching",
      compressed: "compress: off in the cache behaviour",
      cut: "origin response timeout above the heartbeat",
    },
  },
  {
    name: "AWS ALB",
    header: /^(server: awselb|set-cookie: awsalb)/,
    refusal: /server: awselb/i,
    settings: { cut: "idle_timeout.timeout_seconds above the heartbeat (default 60)" },
  },
  {
    name: "Google Cloud load balancer",
    lowerCase: true,
    header: /^via: .*\bgoogle\b/,
    settings: { cut: "timeoutSec of the backend service: it bounds the whole response (default 30)" },
  },
  {
    name: "Heroku router",
    header: /^(via: .*(vegur|heroku)|server: (vegur|heroku))/,
    settings: { cut: "a heartbeat below 55 s" },
  },
  {
    name: "Varnish",
    header: /^(via: .*varnish|x-varnish: )/,
    refusal: /varnish/i,
    settings: {
      delayed: "return (pipe) for the path",
      buffered: "return (pipe) for the path, or beresp.do_stream with beresp.uncacheable",
      compressed: "beresp.do_gzip = false",
      cut: "between_bytes_timeout and pipe_timeout above the heartbeat",
    },
  },
  {
    name: "nginx",
    header: /^server: (nginx|openresty|tengine)/,
    refusal: /<center>(nginx|openresty|tengine)/i,
    settings: {
      delayed: nginxBuffering,
      buffered: nginxBuffering,
      compressed: "gzip off for the location, or gzip_types without text/event-stream",
      cut: "proxy_read_timeout above the heartbeat, such as 1h (default 60s)",
    },
  },
  {
    name: "HAProxy",
    lowerCase: true,
    refusal: /^HTTP\/1\.[01] 400 Bad request\r\n[^]*Your browser sent an invalid request/,
    settings: {
      delayed: "no option http-buffer-response or http-response wait-for-body",
      buffered: "no option http-buffer-response or http-response wait-for-body, and option http-no-delay",
      compressed: "compression type without text/event-stream",
      cut: "timeout server and timeout client above the heartbeat, such as 1h",
    },
  },
  {
    name: "Caddy",
    header: /^(server: caddy|via: .*caddy)/i,
    settings: {
      delayed: "flush_interval -1 in reverse_proxy",
      buffered: "flush_interval -1 in reverse_proxy, and no response_buffers",
      compressed: "encode with a matcher that leaves the path out",
      cut: "no write timeout in servers, no read_timeout in transport http, stream_timeout off",
    },
  },
  {
    name: "Envoy",
    lowerCase: true,
    header: /^(server: (istio-)?envoy|x-envoy-)/,
    refusal: /server: (istio-)?envoy/i,
    settings: {
      delayed: "no buffer filter on the route",
      buffered: "no buffer filter on the route",
      compressed: "compressor: content_type without text/event-stream",
      cut: "timeout: 0s on the route (default 15s for the whole response), idle_timeout above the heartbeat",
    },
  },
  {
    name: "Apache",
    header: /^server: apache/,
    refusal: /server: apache|your browser sent a request that this server could not understand/i,
    settings: {
      delayed: "flushpackets=on in ProxyPass",
      buffered: "flushpackets=on in ProxyPass",
      compressed: "SetEnv no-gzip 1 for the location",
      cut: "ProxyTimeout above the heartbeat",
    },
  },
  {
    name: "a proxy in Go (Caddy, Traefik)",
    unless: "Caddy",
    refusal: /\r\nContent-Type: text\/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request/,
    settings: {
      delayed: "Caddy: flush_interval -1; Traefik: no buffering middleware",
      buffered: "Caddy: flush_interval -1; Traefik: no buffering middleware",
      compressed: "Caddy: encode without the path; Traefik: compress.excludedContentTypes: text/event-stream",
      cut: "Traefik: respondingTimeouts.writeTimeout 0; Caddy: no write timeout",
    },
  },
  {
    name: "Express",
    lowerCase: true,
    header: /^x-powered-by: express/,
    settings: {
      delayed: bodyless,
      buffered: bodyless,
      compressed: "compression({ filter }) that leaves text/event-stream out",
      cut: "server.requestTimeout and server.timeout do not end a stream: look at its middleware",
    },
  },
  {
    name: "a Node.js server",
    unless: "Express",
    lowerCase: true,
    refusal: /^HTTP\/1\.1 400 Bad Request\r\nConnection: close\r\n\r\n$/,
    settings: {
      delayed: bodyless,
      buffered: bodyless,
      compressed: "no compression middleware for text/event-stream",
      cut: "server.timeout 0, and a proxy's proxyTimeout above the heartbeat",
    },
  },
];

/** What is said where no hop is known. */
const elsewhere: Readonly<Record<Symptom, string>> = {
  delayed: "find what waits for a body before it passes the headers on: a buffering proxy, or middleware",
  buffered: "switch off response buffering in every proxy (nginx: proxy_buffering off; Caddy: flush_interval -1)",
  compressed: "leave text/event-stream out of the compression in every proxy and in the application's middleware",
  cut: "raise the idle timeout of every proxy above the heartbeat (nginx: proxy_read_timeout; HAProxy: timeout server)",
};

/** A hop that left a trace. */
export interface FoundHop {
  readonly hop: Hop;
  /** What it was known by. */
  readonly trace: string;
}

/** The hops that a response and a refusal tell of. */
export function findHops(head: ResponseHead | undefined, refusal: string): readonly FoundHop[] {
  const fields = head?.fields ?? [];
  const lines = fields.map(([name, value]) => `${name}: ${value}`.toLowerCase());
  const known = hops.flatMap((hop): FoundHop[] => {
    const line = lines.find((text) => hop.header?.test(text));
    if (line !== undefined) return [{ hop, trace: shown(line) }];
    return hop.refusal?.test(refusal) ? [{ hop, trace: "its answer to a malformed request" }] : [];
  });
  const found = known.filter(({ hop: { unless } }) => !known.some(({ hop }) => hop.name === unless));
  return [...found, ...hidden(head, found)];
}

/** A cookie's value is nobody's business. */
function shown(line: string): string {
  return (line.startsWith("set-cookie:") ? line.replace(/=.*$/s, "") : line).slice(0, 80);
}

/** Hops that are known by what they have done to a Spillway's headers. */
function hidden(head: ResponseHead | undefined, found: readonly FoundHop[]): FoundHop[] {
  const own = head?.fields.find(([name]) => name.toLowerCase() === "spillway-resume");
  if (!head || !own) return [];
  const result: FoundHop[] = [];
  const isFound = (name: string): boolean => found.some(({ hop }) => hop.name === name);
  if (headerOf(head, "x-accel-buffering") === undefined && !isFound("nginx")) {
    result.push({ hop: hopNamed("nginx"), trace: "X-Accel-Buffering is taken out" });
  }
  if (head.version !== "2" && own[0] === own[0].toLowerCase() && !found.some(({ hop }) => hop.lowerCase)) {
    result.push({ hop: hopNamed("HAProxy"), trace: "header names in lower case" });
  }
  return result;
}

function hopNamed(name: string): Hop {
  return hops.find((hop) => hop.name === name)!;
}

/** What to set against a symptom, by those of the hops that can cause it. */
export function settingFor(symptom: Symptom, found: readonly FoundHop[]): string {
  const named = found.flatMap(({ hop }) => {
    const setting = hop.settings[symptom];
    return setting === undefined ? [] : [`${hop.name}: ${setting}`];
  });
  return named.length > 0 ? named.join("; or ") : elsewhere[symptom];
}
