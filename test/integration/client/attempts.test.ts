import { expect, onTestFinished, test } from "vitest";
import { collect, observe } from "../../support/client.ts";
import { eventually } from "../../support/reader.ts";
import {
  cutting,
  ending,
  refusing,
  startScriptedServer,
  streaming,
  type Script,
  type ScriptedServer,
} from "../../support/scripted-server.ts";

async function serve(...scripts: readonly Script[]): Promise<ScriptedServer> {
  const server = await startScriptedServer(...scripts);
  onTestFinished(server.close);
  return server;
}

const problem = (code: string): string => JSON.stringify({ status: 403, code });
const problemType = { "content-type": "application/problem+json" };
const live = streaming("data: 1\n\n");

test.each([
  ["a network error", (response) => response.socket?.destroy(), "connect-failed"],
  ["a timeout", () => {}, "connect-timeout"],
  ["408", refusing(408), "status-unexpected"],
  ["425", refusing(425), "status-unexpected"],
  ["429", refusing(429), "status-unexpected"],
  ["500", refusing(500), "status-unexpected"],
  ["502 with HTML", refusing(502, { "content-type": "text/html" }, "<p>bad gateway"), "status-unexpected"],
  ["503 with problem details", refusing(503, problemType, problem("shutting-down")), "shutting-down"],
  ["a clean end", ending(""), "stream-ended"],
  ["a cut", cutting(""), "connection-lost"],
  ["HTML with 200", refusing(200, { "content-type": "text/html" }, "data: html\n\n"), "content-type-unexpected"],
] as ReadonlyArray<[string, Script, string]>)("%s is followed by another attempt", async (_, script, code) => {
  const server = await serve(script, live);
  const client = collect(server.url, code === "connect-timeout" ? { connectTimeout: 300 } : {});
  await eventually(() => client.events.length === 1);
  expect(client.data()).toEqual([1]);
  expect(client.codes()).toEqual([code]);
  expect(client.statuses().filter((status) => status !== "open")).toEqual(["connecting", "waiting", "connecting"]);
});

test("a refusal whose body does not end is followed by another attempt, after the time for a response", async () => {
  const server = await serve((response) => response.writeHead(503, problemType).write("{"), live);
  const client = collect(server.url, { connectTimeout: 2000 });
  await eventually(() => client.events.length === 1);
  expect(client.codes()).toEqual(["status-unexpected"]);
});

test.each([
  ["404", refusing(404), "status-unexpected", 404],
  ["403 with problem details", refusing(403, problemType, problem("access-denied")), "access-denied", 403],
  ["410 with problem details", refusing(410, problemType, problem("gap")), "gap", 410],
  ["501", refusing(501), "status-unexpected", 501],
  ["401 without a function that makes the credential", refusing(401), "status-unexpected", 401],
] as const)("%s is final", async (_, script, code, status) => {
  const server = await serve(script);
  const client = collect(server.url, { token: "t" });
  await eventually(() => client.subscription.state.status === "closed");
  expect(client.subscription.state).toMatchObject({ error: { code, status, fatal: true } });
  expect(server.requests).toHaveLength(1);
});

test("204 ends the subscription without an error", async () => {
  const server = await serve(ending("data: 1\n\n"), refusing(204));
  const client = observe(server.url);
  const data: unknown[] = [];
  for await (const event of client.subscription) data.push(event.data);
  expect(data).toEqual([1]);
  expect(client.subscription.state).toEqual({ status: "closed", error: undefined });
});

test("an iteration throws the error that ends the subscription, after the last event", async () => {
  const server = await serve(ending("data: 1\n\n"), refusing(404));
  const data: unknown[] = [];
  const reading = (async () => {
    for await (const event of observe(server.url).subscription) data.push(event.data);
  })();
  await expect(reading).rejects.toMatchObject({ name: "ClientError", code: "status-unexpected", status: 404 });
  expect(data).toEqual([1]);
});

test("Retry-After, a time or seconds, and the stream's retry are the shortest delay", async () => {
  const delayAfter = async (script: Script): Promise<number> => {
    const client = observe((await serve(script)).url);
    await eventually(() => client.states.some(({ status }) => status === "waiting"));
    client.subscription.close();
    return client.states.flatMap((state) => (state.status === "waiting" ? state.delay : []))[0]!;
  };
  const inAnHour = new Date(Date.now() + 3_600_000).toUTCString();
  for (const [script, least] of [
    [refusing(503, { "retry-after": "3" }), 3000],
    [refusing(429, { "retry-after": inAnHour }), 3_500_000],
    [ending("retry: 7000\n\n"), 7000],
    [ending('retry: 7000\nevent: spillway.bye\ndata: {"reason":"drain"}\n\n', { "spillway-resume": "live" }), 7000],
  ] as const) {
    const delay = await delayAfter(script);
    expect(delay).toBeGreaterThanOrEqual(least);
    expect(delay).toBeLessThanOrEqual(least * 2 + 200_000);
  }
});

test("failures in a row double the bound of the random delay, up to its maximum", async () => {
  const server = await serve(refusing(500));
  const client = observe(server.url, { backoff: { min: 1, max: 16 } });
  await eventually(() => client.states.filter(({ status }) => status === "waiting").length >= 8);
  client.subscription.close();
  const delays = client.states.flatMap((state) => (state.status === "waiting" ? state.delay : []));
  for (const [i, delay] of delays.entries()) {
    expect(delay).toBeGreaterThanOrEqual(1);
    expect(delay).toBeLessThanOrEqual(Math.min(16, 2 ** (i + 1)));
  }
  expect(client.states.filter(({ status }) => status === "connecting")[7]).toMatchObject({ attempt: 8 });
});

test("an answer of a hop in front of a known Spillway is not final", async () => {
  const spillway = ending("data: 1\n\n", { "spillway-resume": "live" });
  const server = await serve(spillway, refusing(404, { "content-type": "text/html" }, "<p>no site"), live);
  const client = collect(server.url);
  await eventually(() => client.events.length === 2);
  expect(client.codes()).toEqual(["stream-ended", "status-unexpected"]);
});

test("each attempt has a fresh token; after a 401 it is refreshed once, and a second 401 is final", async () => {
  const server = await serve(ending("data: 1\n\n"), refusing(401), refusing(401));
  const refreshes: boolean[] = [];
  const client = collect(server.url, {
    token: ({ refresh }) => {
      refreshes.push(refresh);
      return `token-${refreshes.length}`;
    },
  });
  await eventually(() => client.subscription.state.status === "closed");
  expect(refreshes).toEqual([false, false, true]);
  expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(
    [1, 2, 3].map((n) => `Bearer token-${n}`),
  );
  expect(client.subscription.state).toMatchObject({ error: { status: 401 } });
});

test("subscriptions that connect at once share one call for a token", async () => {
  const server = await serve(live);
  let calls = 0;
  let finish: (token: string) => void = () => {};
  const token = (): Promise<string> => {
    calls++;
    return new Promise((resolve) => (finish = resolve));
  };
  const clients = [1, 2, 3].map(() => collect(server.url, { token }));
  await eventually(() => calls === 1);
  finish("shared");
  await eventually(() => clients.every(({ events }) => events.length === 1));
  expect(calls).toBe(1);
  expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(Array(3).fill("Bearer shared"));
});

test("a function for the token that fails is called again later", async () => {
  const server = await serve(live);
  let calls = 0;
  const client = collect(server.url, {
    token: () => {
      if (++calls === 1) throw new Error("not yet");
      return "t";
    },
  });
  await eventually(() => client.events.length === 1);
  expect(client.states.find(({ status }) => status === "waiting")).toMatchObject({
    error: { code: "request-failed", cause: { message: "not yet" } },
  });
});

test("the last id is sent as UTF-8, across several cuts and blocks with an id only", async () => {
  const server = await serve(
    cutting("id: é1\ndata: 1\n\nid: é2\ndata: lost"),
    cutting("id: é3\n\n"),
    cutting(""),
    streaming("data: 2\n\n"),
  );
  const client = collect(server.url);
  await eventually(() => client.events.length === 2);
  const sent = server.requests.map(({ headers }) => Buffer.from(String(headers["last-event-id"] ?? ""), "latin1"));
  expect(sent.map(String)).toEqual(["", "é1", "é3", "é3"]);
  expect(client.data()).toEqual([1, 2]);
  expect(client.events.at(-1)!.id).toBe("é3");
});

test("a POST is sent with its body, and its end is the end", async () => {
  const server = await serve(ending("id: 1\ndata: {}\n\n"));
  const client = observe(server.url, { method: "POST", headers: { "content-type": "text/plain" }, body: "ask" });
  for await (const event of client.subscription) expect(event.data).toEqual({});
  expect(client.subscription.state).toEqual({ status: "closed", error: undefined });
  expect(server.requests).toMatchObject([{ method: "POST", body: "ask", headers: { "content-type": "text/plain" } }]);
});

test.each([
  ["was refused", [refusing(503), ending("")], undefined, 2],
  ["broke after an id", [cutting("id: 1\ndata: 1\n\n"), ending("")], undefined, 2],
  ["broke without an id", [cutting("data: 1\n\n")], "connection-lost", 1],
  ["failed in the server", [refusing(500)], "status-unexpected", 1],
] as const)("a POST that %s is repeated only if that is safe", async (_, scripts, code, requests) => {
  const server = await serve(...scripts);
  const client = collect(server.url, { method: "POST" });
  await eventually(() => client.subscription.state.status === "closed");
  const { state } = client.subscription;
  expect(state.status === "closed" && state.error?.code).toBe(code);
  expect(server.requests).toHaveLength(requests);
});

test("redirects are followed", async () => {
  const target = await serve(live);
  const server = await serve(refusing(307, { location: target.url }));
  const client = collect(server.url);
  await eventually(() => client.events.length === 1);
});

test("an event that is too long is final", async () => {
  const server = await serve(streaming(`data: ${"x".repeat(2000)}`));
  const client = collect(server.url, { maxEventLength: 1000 });
  await eventually(() => client.subscription.state.status === "closed");
  expect(client.codes()).toEqual(["sse-event-too-large"]);
});
