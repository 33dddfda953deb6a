import { expect, test } from "vitest";
import type { ResponseEnd, ResponseHead } from "../../../src/doctor/exchange.ts";
import { findHops, hops, settingFor } from "../../../src/doctor/hops.ts";
import { judgeHeaders, judgeResponse } from "../../../src/doctor/judge-response.ts";
import { judgeIdle } from "../../../src/doctor/judge-stream.ts";
import type { Arrival, StreamProbe } from "../../../src/doctor/stream-probe.ts";

const own: readonly (readonly [string, string])[] = [
  ["Content-Type", "text/event-stream"],
  ["Cache-Control", "no-cache, no-transform"],
  ["X-Accel-Buffering", "no"],
  ["Spillway-Resume", "live"],
];

function head(fields: readonly (readonly [string, string])[], more: Partial<ResponseHead> = {}): ResponseHead {
  return { at: 1, status: 200, version: "1.1", fields, ...more };
}

const names = (fields: readonly (readonly [string, string])[], refusal = ""): string[] =>
  findHops(head([...own, ...fields]), refusal).map(({ hop }) => hop.name);

test("hops are identified by headers that only they add", () => {
  expect(names([])).toEqual([]);
  expect(names([["Server", "nginx/1.22.1"]])).toEqual(["nginx"]);
  expect(
    names([
      ["CF-RAY", "8f-FRA"],
      ["Server", "cloudflare"],
    ]),
  ).toEqual(["Cloudflare"]);
  expect(names([["Via", "1.1 abc.cloudfront.net (CloudFront)"]])).toEqual(["Amazon CloudFront"]);
  expect(names([["Set-Cookie", "AWSALB=x; Path=/"]])).toEqual(["AWS ALB"]);
  expect(names([["Via", "1.1 Caddy"]])).toEqual(["Caddy"]);
  expect(names([["x-envoy-upstream-service-time", "3"]])).toEqual(["Envoy"]);
  expect(names([["X-Powered-By", "Express"]])).toEqual(["Express"]);
  expect(
    names([
      ["Server", "nginx"],
      ["CF-Ray", "1"],
    ]),
  ).toEqual(["Cloudflare", "nginx"]);
});

test("only the name of a cookie is shown", () => {
  const [found] = findHops(head([["Set-Cookie", "AWSALB=hunter2; Path=/"]]), "");
  expect(found?.trace).toBe("set-cookie: awsalb");
});

test("hops without a header are identified by how they refuse a malformed request", () => {
  const haproxy =
    "HTTP/1.1 400 Bad request\r\nConnection: close\r\n\r\n<h1>400 Bad request</h1>\nYour browser sent an invalid request.\n";
  expect(names([], haproxy)).toEqual(["HAProxy"]);
  const go =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request";
  expect(names([], go)).toEqual(["a proxy in Go (Caddy, Traefik)"]);
  expect(names([["Server", "Caddy"]], go)).toEqual(["Caddy"]);
  expect(names([], "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")).toEqual(["a Node.js server"]);
  expect(names([], "HTTP/1.1 400 Bad Request\r\nServer: awselb/2.0\r\n\r\n")).toEqual(["AWS ALB"]);
});

test("hops behind the first one are identified by what they did to a Spillway's headers", () => {
  const lower = own.map(([name, value]) => [name.toLowerCase(), value] as const);
  const found = (fields: typeof own, more = {}): string[] =>
    findHops(head(fields, more), "").map(({ hop }) => hop.name);
  expect(found(own.filter(([name]) => name !== "X-Accel-Buffering"))).toEqual(["nginx"]);
  expect(found(lower)).toEqual(["HAProxy"]);
  expect(found(lower, { version: "2" })).toEqual([]);
  expect(found([["content-type", "text/event-stream"]])).toEqual([]);
});

test("every symptom has advice, with or without a known hop", () => {
  for (const symptom of ["delayed", "buffered", "compressed", "cut"] as const) {
    expect(settingFor(symptom, [])).not.toBe("");
    const all = hops.map((hop) => ({ hop, trace: "" }));
    expect(settingFor(symptom, all)).toContain("nginx: ");
  }
  const alb = hops.filter(({ name }) => name === "AWS ALB").map((hop) => ({ hop, trace: "" }));
  expect(settingFor("compressed", alb)).toBe(settingFor("compressed", []));
});

test("a response that is not an event stream is a failure with advice", () => {
  expect(judgeResponse(head(own)).outcome).toBe("ok");
  expect(judgeResponse(head([["content-type", "Text/Event-Stream;charset=utf-8"]])).outcome).toBe("ok");
  expect(judgeResponse(head([["content-type", "text/html"]])).found).toBe("text/html in place of text/event-stream");
  expect(judgeResponse(head(own, { status: 401 })).advice).toContain("--header");
  expect(judgeResponse(head(own, { status: 504 })).advice).toContain("gave up waiting");
  expect(judgeResponse(head(own, { status: 302 })).found).toContain("redirect");
});

test("a length on a stream is a failure, HTTP/1.0 and missing headers are warnings", () => {
  expect(judgeHeaders(head(own), true, []).outcome).toBe("ok");
  expect(judgeHeaders(head([...own, ["Content-Length", "100"]]), true, []).outcome).toBe("fail");
  expect(judgeHeaders(head(own, { version: "1.0" }), true, []).outcome).toBe("warn");
  const bare = head([["Cache-Control", "no-store"]]);
  expect(judgeHeaders(bare, false, []).outcome).toBe("ok");
  expect(judgeHeaders(bare, true, []).found).toBe(
    "missing: Cache-Control: no-transform, Spillway-Resume, X-Accel-Buffering",
  );
});

test("nginx removes X-Accel-Buffering, and this is not reported", () => {
  const fields = own.filter(([name]) => name !== "X-Accel-Buffering");
  expect(judgeHeaders(head(fields), true, findHops(head(fields), "")).outcome).toBe("ok");
});

function ended(end: Partial<ResponseEnd> | undefined, arrivals: readonly Partial<Arrival>[] = []): StreamProbe {
  const all = arrivals.map((arrival) => ({ at: 0, event: undefined, id: undefined, data: "", ...arrival }));
  return {
    head: head(own),
    end: end && { at: 60_000, how: "cut", reason: undefined, ...end },
    lastAt: all.at(-1)?.at,
    bytes: 1,
    arrivals: all,
    now: () => 75_000,
    until: () => Promise.resolve(true),
    notify: () => {},
    close: () => {},
  };
}

test("a stream that stays open is ok, and its longest silence is reported", () => {
  const { outcome, found } = judgeIdle(ended(undefined, [{ at: 10 }, { at: 20_000 }, { at: 70_000 }]), [], true);
  expect([outcome, found]).toEqual(["ok", "open for 75 s, the longest silence 50 s"]);
});

test("a hop that limits silence is distinguished from one that limits the whole response", () => {
  const silent = judgeIdle(ended({}, [{ at: 10 }]), [], true);
  expect(silent.advice).toContain("lower the stream's heartbeat below 60 s");
  const bounded = judgeIdle(ended({}, [{ at: 10 }, { at: 58_000 }]), [], true);
  expect(bounded.advice).toContain("a hop bounds the whole response");
});

test("a proper end is only a hop's fault if the server would have sent a goodbye", () => {
  const bye = { at: 59_000, event: "spillway.bye", data: '{"reason":"drain","retry":2000}' };
  expect(judgeIdle(ended({ how: "complete" }, [bye]), [], true).outcome).toBe("warn");
  expect(judgeIdle(ended({ how: "complete" }), [], true).outcome).toBe("fail");
  expect(judgeIdle(ended({ how: "complete" }), [], false).outcome).toBe("warn");
});
