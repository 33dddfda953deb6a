import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { caddy } from "../../support/caddy.ts";
import { haproxy } from "../../support/haproxy.ts";
import { caddyTo, haproxyTo, nginxTo, startHop, type Hop } from "../../support/hops.ts";
import { nginx } from "../../support/nginx.ts";
import { findProgram, warnMissing } from "../../support/programs.ts";
import { openRaw } from "../../support/raw-client.ts";
import { chunk, startRawOrigin, whole, type RawOrigin } from "../../support/raw-origin.ts";
import { openRoutes, routeTo } from "../../support/routes.ts";

const head = "HTTP/1.1 200 OK\r\n";

/** What the origin answers, by path. It ends its connection behind each answer. */
const answers: Readonly<Record<string, string>> = {
  "/api/chunked": `${head}Transfer-Encoding: chunked\r\n\r\n${chunk("one")}${chunk("two")}0\r\n\r\n`,
  "/api/unsized": `${head}Content-Type: text/plain\r\n\r\nwhole`,
  "/api/cookies": whole("done", "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2", "X-A: 1", "X-A: 2"),
  "/api/204": "HTTP/1.1 204 No Content\r\nX-Own: 1\r\n\r\n",
  "/api/304": 'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n',
  "/api/redirect": "HTTP/1.1 302 Found\r\nLocation: https://other.test/a\r\nContent-Length: 0\r\n\r\n",
  "/api/418": whole("done").replace("200 OK", "418 Teapot"),
  "/api/500": whole("done").replace("200 OK", "500 Internal Server Error"),
  "/api/hop": whole("done", "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=9", "Proxy-Authenticate: Basic"),
  "/api/hints": `HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n${whole("done")}`,
  "/api/both": `${head}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n${chunk("whole")}0\r\n\r\n`,
  "/api/lengths": `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nwhole`,
  "/api/negative": `${head}Content-Length: -5\r\n\r\nwhole`,
  "/api/short": `${head}Content-Length: 10\r\n\r\nwhole`,
  "/api/cut": `${head}Transfer-Encoding: chunked\r\n\r\n${chunk("whole")}`,
  "/api/bad-chunk": `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\nwhole\r\n0\r\n\r\n`,
  "/api/nothing": "",
  "/api/garbage": "garbage\r\n\r\n",
  "/api/no-colon": `${head}no colon\r\nContent-Length: 0\r\n\r\n`,
};

function to(path: string, fields: readonly string[] = [], body = "", method = body === "" ? "GET" : "POST"): string {
  return [
    `${method} /api/${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    "X-Run: @",
    "Connection: close",
    ...fields,
    "",
    body,
  ].join("\r\n");
}

const requests: Readonly<Record<string, string>> = {
  "a GET": to("a?x=1"),
  "a HEAD": to("head", [], "", "HEAD"),
  "a DELETE": to("a", [], "", "DELETE"),
  "an OPTIONS": to("a", [], "", "OPTIONS"),
  "a method of its own": to("a", [], "", "PROPFIND"),
  "a POST with a length": to("a", ["Content-Length: 4"], "body"),
  "a POST in chunks": to("a", ["Transfer-Encoding: chunked"], "4\r\nbody\r\n0\r\n\r\n"),
  "a POST without a body": to("a", ["Content-Length: 0"], "", "POST"),
  "a GET with a body": to("a", ["Content-Length: 4"], "body", "GET"),
  "an encoded path": to("a%2Fb%20c?q=%20+"),
  "empty segments": to("a//b"),
  "dot segments": to("a/../b"),
  "encoded dot segments": to("a/%2e%2e/b"),
  "an absolute target": to("a").replace(" /api", " http://127.0.0.1/api"),
  "repeated headers": to("a", ["X-A: 1", "X-A: 2", "X-B:"]),
  "cookies": to("a", ["Cookie: a=1; b=2"]),
  "a header with an underscore": to("a", ["X_A: 1"]),
  "a header that Connection names": to("a", ["X-Hop: 1"]).replace("close", "close, x-hop"),
  "hop-by-hop headers": to("a", ["Keep-Alive: timeout=5", "TE: trailers", "Proxy-Authorization: x"]),
  "an upgrade": to("a", ["Upgrade: x"]).replace("close", "close, upgrade"),
  "an expectation": to("a", ["Expect: 100-continue", "Content-Length: 4"], "body"),
  "an odd length": to("a", ["Content-Length: 04"], "body"),
  "a list of lengths": to("a", ["Content-Length: 4, 4"], "body"),
  "two lengths": to("a", ["Content-Length: 4", "Content-Length: 5"], "body"),
  "a length and chunks": to("a", ["Content-Length: 4", "Transfer-Encoding: chunked"], "4\r\nbody\r\n0\r\n\r\n"),
  "an unknown coding": to("a", ["Transfer-Encoding: xchunked"], "4\r\nbody\r\n0\r\n\r\n"),
  "an empty coding": to("a", ["Transfer-Encoding: ,chunked"], "4\r\nbody\r\n0\r\n\r\n"),
  "a bad chunk": to("a", ["Transfer-Encoding: chunked"], "zz\r\nbody\r\n0\r\n\r\n"),
  "a header without a colon": to("a", ["no colon"]),
  "a null in a header": to("a", ["X-A: a\0b"]),
  "a folded header": to("a", ["X-A: a\r\n b"]),
  "two hosts": to("a", ["Host: y"]),
  "no host": to("a").replace("Host: 127.0.0.1\r\n", ""),
  "a TRACE": to("a", [], "", "TRACE"),
  "HTTP/1.0": to("chunked").replace("HTTP/1.1", "HTTP/1.0"),
  ...Object.fromEntries(Object.keys(answers).map((path) => [`the answer of ${path}`, to(path.slice(5))])),
};

interface Outcome {
  /** What the origin saw; absent if nothing. */
  readonly "method"?: string;
  readonly "target"?: string;
  readonly "request headers"?: readonly string[];
  readonly "request body"?: string;
  /** Whether the origin saw what a strict parser does not take for a request. */
  readonly "malformed"?: boolean;
  /** `refused` for an answer that is not the origin's. */
  readonly "status": number | "refused" | "cut";
  readonly "hints"?: boolean;
  readonly "response headers"?: readonly string[];
  readonly "response body"?: string;
}

/** What is of a connection, or says who forwards. */
const own =
  /^(x-run|connection|keep-alive|host|content-length|transfer-encoding|date|server|via|x-forwarded-.*|accept-encoding|user-agent|x-accel-buffering|alt-svc)$/;

function fieldsOf(fields: ReadonlyArray<readonly [string, string]>): string[] {
  // Caddy guesses a type where there is none.
  const kept = fields.filter(([name, value]) => !own.test(name) && value !== "text/plain; charset=utf-8");
  return kept.map(([name, value]) => `${name}: ${value}`).toSorted((a, b) => a.localeCompare(b));
}

let origin: RawOrigin;
const ports = new Map<string, number>();
const closing: Array<() => Promise<unknown>> = [];

const timeouts = "timeout client 60s\n  timeout server 60s";
const hops = {
  nginx: (port: number): Promise<Hop> => startHop(nginx, nginxTo(port, "proxy_buffering off;")),
  haproxy: (port: number): Promise<Hop> => startHop(haproxy, haproxyTo(port, timeouts)),
  caddy: (port: number): Promise<Hop> => startHop(caddy, caddyTo(port, "", "")),
};

const installed = (Object.keys(hops) as Array<keyof typeof hops>).filter((name) => {
  if (!findProgram(name)) warnMissing(name, name);
  return findProgram(name) !== undefined;
});

beforeAll(async () => {
  origin = await startRawOrigin({
    onRequest({ method, target }, { socket }) {
      const path = target.replace(/^http:\/\/[^/]*/, "").replace(/\?.*/, "");
      const bytes =
        method === "HEAD" ? `${head}Content-Length: 4\r\n\r\n` : (answers[path] ?? whole("done", "X-Own: 1"));
      socket.end(bytes, "latin1");
    },
  });
  const gateway = await openRoutes({ "/api/**": routeTo([origin.url]) }, { drain: 0 });
  ports.set("spillway", (await gateway.listen()).port);
  closing.push(() => gateway.close());
  for (const name of installed) {
    const hop = await hops[name](origin.port);
    ports.set(name, Number(new URL(hop.url).port));
    closing.push(() => hop.close());
  }
});

afterAll(async () => {
  for (const close of closing) await close();
  await origin.close();
});

let runs = 0;

async function outcomeOf(name: string, bytes: string): Promise<Outcome> {
  const errors = origin.errors().length;
  const run = String(++runs);
  const { socket, all } = openRaw(ports.get(name)!);
  socket.write(bytes.replace("@", run), "latin1");
  const text = await all();
  socket.destroy();
  // What is cut on its way may still arrive, later.
  const request = origin.requests().find(({ header, isComplete }) => isComplete && header("x-run") === run);
  const response = readResponse(text);
  const isOwn = response !== undefined && request !== undefined && response.status < 502;
  return {
    ...(request && {
      "method": request.method,
      "target": request.target,
      "request headers": fieldsOf(request.headers),
      "request body": request.body,
    }),
    ...(origin.errors().length > errors && { malformed: true }),
    status: !response ? "cut" : isOwn ? response.status : "refused",
    ...(response && isOwn && { "hints": response.hints, "response headers": fieldsOf(response.fields) }),
    ...(response && isOwn && { "response body": response.body }),
  };
}

function readResponse(
  text: string,
): { status: number; hints: boolean; fields: Array<[string, string]>; body: string } | undefined {
  const final = text.replace(/^(HTTP\/1\.1 1\d\d [^]*?\r\n\r\n)+/, "");
  const end = final.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [first = "", ...lines] = final.slice(0, end).split("\r\n");
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const rest = final.slice(end + 4);
  const isChunked = fields.some(([name, value]) => name === "transfer-encoding" && value === "chunked");
  const body = isChunked
    ? rest.replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n/g, "").replace(/\r\n$/, "") + (rest.endsWith("0\r\n\r\n") ? "" : "…")
    : rest;
  const length = fields.find(([name]) => name === "content-length")?.[1];
  const isShort = length !== undefined && rest.length < Number(length);
  return { status: Number(first.slice(9, 12)), hints: / 103 /.test(text), fields, body: isShort ? `${body}…` : body };
}

/** A difference to all of them. */
const dotSegments = [
  "not passed on, refused / passed on, 200",
  "dot segments are left to the target, which may resolve them to a path outside of the route",
] as const;

/** What differs, and why it may: by proxy and request. */
const known: Readonly<Record<string, Readonly<Record<string, readonly [differs: string, reason: string]>>>> = {
  nginx: {
    "dot segments": dotSegments,
    "encoded dot segments": dotSegments,
    "a header with an underscore": ["request headers", "`underscores_in_headers` is off"],
    "a header that Connection names": ["request headers", "Connection is not read"],
    "hop-by-hop headers": ["request headers", "Proxy-Authorization is passed on"],
    "an odd length": ["not passed on, refused / passed on, 200", "the length is written anew"],
    "the answer of /api/hop": ["response headers", "Connection is not read"],
    "the answer of /api/both": ["passed on, refused / passed on, 200", "the length is ignored"],
    "the answer of /api/lengths": ["passed on, refused / passed on, 200", "the first length is taken"],
    "the answer of /api/negative": ["passed on, refused / passed on, 200", "the length is ignored"],
    "the answer of /api/bad-chunk": [
      "passed on, refused / passed on, cut",
      "the head does not wait for the first chunk",
    ],
    "the answer of /api/garbage": ["passed on, refused / passed on, 0", "taken for an answer of HTTP/0.9"],
  },
  haproxy: {
    "dot segments": dotSegments,
    "encoded dot segments": dotSegments,
    "an absolute target": ["target", "it stays absolute"],
    "a header that Connection names": ["request headers", "Connection is not read"],
    "hop-by-hop headers": ["request headers", "Proxy-Authorization and TE are passed on"],
    "an upgrade": ["request headers", "upgrades are allowed"],
    "an expectation": ["request headers", "the target answers it"],
    "an odd length": ["not passed on, refused / passed on malformed, refused", "it is passed on as it is"],
    "a list of lengths": [
      "not passed on, refused / passed on, 200",
      "equal lengths are taken for one (RFC 9110 §8.6 allows both)",
    ],
    "a length and chunks": [
      "not passed on, refused / passed on, 200",
      "the length is dropped (RFC 9112 §6.3 allows both)",
    ],
    "a null in a header": ["not passed on, refused / passed on malformed, refused", "it is passed on as it is"],
    "a folded header": ["not passed on, refused / passed on, 200", "it is unfolded (RFC 9112 §5.2 allows both)"],
    "no host": ["not passed on, refused / passed on malformed, refused", "it is passed on as it is"],
    "a TRACE": ["not passed on, refused / passed on, 200", "it is passed on"],
    "HTTP/1.0": [
      "passed on, 200 / passed on malformed, refused",
      "the version is passed on; the origin here takes only 1.1",
    ],
    "the answer of /api/hop": ["response headers", "Connection is not read"],
    "the answer of /api/both": ["passed on, refused / passed on, 200", "the length is ignored"],
  },
  caddy: {
    "dot segments": dotSegments,
    "encoded dot segments": dotSegments,
    "hop-by-hop headers": ["request headers", "TE: trailers is passed on"],
    "an upgrade": ["request headers", "upgrades are allowed"],
    "an expectation": ["request headers", "the target sees it, too"],
    "an odd length": ["not passed on, refused / passed on, 200", "the length is written anew"],
    "a length and chunks": [
      "not passed on, refused / passed on, 200",
      "the length is dropped (RFC 9112 §6.3 allows both)",
    ],
    "a folded header": ["not passed on, refused / passed on, 200", "it is unfolded (RFC 9112 §5.2 allows both)"],
    "a TRACE": ["not passed on, refused / passed on, 200", "it is passed on"],
    "the answer of /api/both": ["passed on, refused / passed on, 200", "the length is ignored"],
    "the answer of /api/cut": ["response body", "the part is given a length of its own, as if it were whole"],
    "the answer of /api/bad-chunk": [
      "passed on, refused / passed on, 200",
      "the empty part is given a length of its own",
    ],
  },
};

/** Only how both ended, where one has an outcome that the other has not. */
function difference(ours: Outcome, theirs: Outcome): string {
  const brief = ({ method, malformed, status }: Outcome): string =>
    `${malformed ? "passed on malformed" : method === undefined ? "not passed on" : "passed on"}, ${status}`;
  if (brief(ours) !== brief(theirs)) return `${brief(ours)} / ${brief(theirs)}`;
  const keys = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])] as Array<keyof Outcome>;
  return keys.filter((key) => JSON.stringify(ours[key]) !== JSON.stringify(theirs[key])).join(", ");
}

describe.each(installed)("compared with %s", (name) => {
  test.each(Object.keys(requests))("%s", async (title) => {
    const [ours, theirs] = [await outcomeOf("spillway", requests[title]!), await outcomeOf(name, requests[title]!)];
    const [expected = "", reason = "not known"] = known[name]?.[title] ?? [];
    expect(difference(ours, theirs), `${reason}: ${JSON.stringify({ ours, theirs })}`).toBe(expected);
  });
});
