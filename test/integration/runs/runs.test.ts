import { createMemoryStore } from "spillway/memory";
import { expect, test } from "vitest";
import { holdReads } from "../../support/held-store.ts";
import { eventually, read } from "../../support/reader.ts";
import { startRunOrigin } from "../../support/run-origin.ts";
import { idsOf, openRuns, pathOf, post, send, stateOf, withoutIds } from "../../support/runs.ts";

test("a POST gets the response of the target, and everyone who joins the run gets the same", async () => {
  const origin = await startRunOrigin();
  const gateway = await openRuns(origin);
  const answering = post(gateway, { prompt: "hi" });
  await eventually(() => origin.requests.length === 1, "a request");
  const request = origin.requests[0]!;
  expect(request).toMatchObject({ method: "POST", url: "/v1/chat", body: '{"prompt":"hi"}' });
  request.send("event: a\ndata: 1\n\n: note\n\nid: 7\ndata: 2\ndata: 3\n\n");
  const response = await answering;
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  const path = pathOf(response);
  expect(path).toBe(`/runs/${response.headers.get("spillway-run")}`);
  expect(await stateOf(gateway, path)).toMatchObject({ state: "running", ended: null });
  const joined = await send(gateway, path);
  request.response.end("retry: 5\n\ndata: [DONE]\n\n");
  const [first, second, third] = await Promise.all([
    response.text(),
    joined.text(),
    send(gateway, path).then((late) => late.text()),
  ]);
  expect(withoutIds(first)).toBe("event: a\ndata: 1\n\ndata: 2\ndata: 3\n\nretry: 5\n\ndata: [DONE]\n\n");
  expect([second, third]).toEqual([first, first]);
  expect(await stateOf(gateway, path)).toMatchObject({ state: "completed", reason: null, events: 4, route: "/v1/**" });
});

test("a client that comes back gets exactly what it has missed, and nothing once it has everything", async () => {
  const origin = await startRunOrigin(({ response }) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end("data: 1\n\ndata: 2\n\ndata: 3\n\n");
  });
  const gateway = await openRuns(origin);
  const response = await post(gateway);
  const path = pathOf(response);
  const text = await response.text();
  const blocks = text.split(/(?<=\n\n)/);
  for (const [index, id] of idsOf(text).entries()) {
    const rest = await send(gateway, path, { "last-event-id": id });
    const query = await send(gateway, `${path}?last-event-id=${id}`);
    expect([rest.status, query.status]).toEqual(index === 2 ? [204, 204] : [200, 200]);
    expect(await rest.text()).toBe(blocks.slice(index + 1).join(""));
    expect(await query.text()).toBe(blocks.slice(index + 1).join(""));
  }
  const foreign = await send(gateway, path, { "last-event-id": "other.7" });
  expect(await foreign.json()).toMatchObject({ status: 400, code: "request-invalid", field: "Last-Event-ID" });
});

test("a run goes on without clients, and is complete for whoever comes later", async () => {
  const origin = await startRunOrigin();
  const gateway = await openRuns(origin);
  const answering = post(gateway);
  await eventually(() => origin.requests.length === 1, "a request");
  const request = origin.requests[0]!;
  request.send("data: 1\n\n");
  const reading = read(await answering);
  await reading.until(() => reading.events.length === 1);
  await reading.cancel();
  request.response.end("data: 2\n\n");
  const path = pathOf(reading.response);
  const text = await (await send(gateway, path)).text();
  expect(withoutIds(text)).toBe("data: 1\n\ndata: 2\n\n");
  expect(request.isAborted()).toBe(false);
});

test("searches for the place of an event run a few at a time, and end with their clients", async () => {
  const created = `event: response.created\ndata: {"response":{"id":"resp_1"},"sequence_number":0}\n\n`;
  const origin = await startRunOrigin(({ response }) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(`${created}event: response.completed\ndata: {"sequence_number":1}\n\n`);
  });
  const held = holdReads(createMemoryStore());
  const gateway = await openRuns(origin, {
    store: () => held.store,
    run: { dialect: "openai" },
    limits: { searches: 2 },
  });
  await (await post(gateway, {}, {}, "/v1/responses")).text();
  held.hold();
  const left = new AbortController();
  const path = "http://localhost/v1/responses/resp_1?stream=true&starting_after=0";
  const begin = (): Promise<Response> => gateway.fetch(new Request(path, { signal: left.signal }));
  const gone = [1, 2, 3, 4].map(begin);
  await eventually(() => held.underWay === 2, "the first searches");
  await new Promise((resolve) => setImmediate(resolve));
  expect(held.underWay).toBe(2);
  left.abort();
  held.release();
  await Promise.allSettled(gone);
  await eventually(() => held.underWay === 0, "the end of the searches");
  const text = await (await send(gateway, "/v1/responses/resp_1?stream=true&starting_after=0")).text();
  expect(withoutIds(text)).toBe(`event: response.completed\ndata: {"sequence_number":1}\n\n`);
});

test("responses that are no event stream, and errors, pass through and are not runs", async () => {
  const origin = await startRunOrigin(({ url, response }) => {
    if (url.endsWith("json")) response.writeHead(200, { "content-type": "application/json" }).end('{"a":1}');
    else response.writeHead(429, { "content-type": "text/event-stream", "retry-after": "7" }).end("data: no\n\n");
  });
  const gateway = await openRuns(origin);
  const json = await post(gateway, {}, { "idempotency-key": "k" }, "/v1/json");
  expect(json.headers.get("spillway-run")).toBeNull();
  expect(await json.json()).toEqual({ a: 1 });
  // The key is free again.
  const other = await post(gateway, { other: true }, { "idempotency-key": "k" }, "/v1/error");
  expect([other.status, other.headers.get("retry-after"), await other.text()]).toEqual([429, "7", "data: no\n\n"]);
  await eventually(() => gateway.status().routes["/v1/**"]!.runs!.running === 0, "no run");
  expect(gateway.status().routes["/v1/**"]!.runs).toMatchObject({ started: 2, failed: 2 });
});

test("requests that are no POST are forwarded", async () => {
  const origin = await startRunOrigin(({ response }) => response.end("models"));
  const gateway = await openRuns(origin);
  const response = await send(gateway, "/v1/models");
  expect(await response.text()).toBe("models");
  expect(origin.requests).toMatchObject([{ method: "GET", url: "/v1/models" }]);
  expect(gateway.status().routes["/v1/**"]!.runs!.started).toBe(0);
});

test("a target that cannot be reached is reported as for a route, and the key is free again", async () => {
  const gateway = await openRuns({ url: "http://127.0.0.1:9" });
  for (let attempt = 0; attempt < 2; attempt++) {
    const response = await post(gateway, { attempt }, { "idempotency-key": "k" });
    expect(await response.json()).toMatchObject({ status: 502, code: "target-failed" });
  }
});

test("an unknown run is not found, and neither is one of somebody else", async () => {
  const origin = await startRunOrigin(({ send: write, response }) => {
    write("data: 1\n\n");
    response.end();
  });
  const key = (name: string): object => ({ name, hash: `sha256:${hashes[name]!}`, can: ["proxy"], routes: ["/v1/**"] });
  const gateway = await openRuns(origin, { access: { keys: [key("ann"), key("bob")] as never } });
  const [ann, bob] = [{ "x-api-key": "ann-key" }, { "x-api-key": "bob-key" }];
  const response = await post(gateway, {}, ann);
  await response.text();
  const path = pathOf(response);
  expect((await send(gateway, path, ann)).status).toBe(200);
  for (const [where, who] of [
    [path, bob],
    ["/runs/1-aaaaaaaaaaaaaaaaaaaaaa", ann],
    ["/runs/x", ann],
  ] as const) {
    const refused = await send(gateway, where, who);
    expect(await refused.json()).toMatchObject({ status: 404, code: "run-unknown" });
    expect((await send(gateway, where, who, "DELETE")).status).toBe(404);
  }
  expect((await send(gateway, path)).status).toBe(401);
});

/** SHA-256 of `ann-key` and `bob-key`. */
const hashes: Readonly<Record<string, string>> = {
  ann: "21fdbeecb49c56644f6cc4444328f5da14132c8a38fd86aad19b4da9e521a79c",
  bob: "9b94dc1a51a38769f135edf04033ad7f2f487b6c25929be7a861cfc1ab10cf98",
};
