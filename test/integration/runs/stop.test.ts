import { expect, test } from "vitest";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { startRunOrigin, type OriginRequest, type RunOrigin } from "../../support/run-origin.ts";
import { openRuns, pathOf, post, send, stateOf, withoutIds, type RunsSetup } from "../../support/runs.ts";
import type { Gateway } from "spillway";

/** Starts a run that has sent one block. */
async function begin(
  setup: RunsSetup,
): Promise<{ gateway: Gateway; origin: RunOrigin; request: OriginRequest; response: Response; path: string }> {
  const origin = await startRunOrigin();
  const gateway = await openRuns(origin, setup);
  const answering = post(gateway);
  await eventually(() => origin.requests.length === 1, "a request");
  const request = origin.requests[0]!;
  request.send("data: 1\n\n");
  const response = await answering;
  return { gateway, origin, request, response, path: pathOf(response) };
}

test.each([
  ["openai", "data: [DONE]\n\n"],
  ["anthropic", 'event: message_stop\ndata: {"type":"message_stop"}\n\n'],
  ["ai-sdk", 'data: {"type":"abort"}\n\ndata: [DONE]\n\n'],
  ["none", ""],
] as const)("DELETE stops a run: the target's request ends, and clients get the end of %s", async (dialect, end) => {
  const { gateway, request, response, path } = await begin({ run: { dialect } });
  const stopped = await send(gateway, path, {}, "DELETE");
  expect(stopped.status).toBe(204);
  await request.aborted;
  expect(withoutIds(await response.text())).toBe(`data: 1\n\n${end}`);
  expect(withoutIds(await (await send(gateway, path)).text())).toBe(`data: 1\n\n${end}`);
  expect(await stateOf(gateway, path)).toMatchObject({ state: "cancelled", reason: null, events: 1 });
  expect((await send(gateway, path, {}, "DELETE")).status).toBe(204);
});

test("a run that is stopped before there is a response ends its requests, which clients do not repeat", async () => {
  const origin = await startRunOrigin();
  const gateway = await openRuns(origin, { run: { total: "1s" } });
  const answering = [post(gateway, {}, { "idempotency-key": "k" }), post(gateway, {}, { "idempotency-key": "k" })];
  await origin.requests[0]?.aborted;
  for (const response of await Promise.all(answering)) {
    expect(await response.json()).toMatchObject({ status: 410, code: "run-cancelled" });
  }
  expect(origin.requests).toHaveLength(1);
  await origin.requests[0]!.aborted;
});

test("runs that go on when the gateway closes are cut short", async () => {
  const { gateway, request, response } = await begin({ run: { dialect: "openai" }, drain: "500ms" });
  await gateway.close();
  await request.aborted;
  expect(await response.text()).toContain("the gateway is shutting down");
});

const leave = async (response: Response): Promise<void> => {
  const reading: Reading = read(response);
  await reading.until(() => reading.events.length === 1);
  await reading.cancel();
};

test("with cancel, a run is stopped when its last client has left", async () => {
  const { gateway, request, response, path } = await begin({ run: { onDisconnect: "cancel" } });
  const second = await send(gateway, path);
  await leave(response);
  request.send("data: 2\n\n");
  const reading = read(second);
  await reading.until(() => reading.events.length === 2);
  expect(request.isAborted()).toBe(false);
  await reading.cancel();
  await request.aborted;
  await eventually(async () => (await stateOf(gateway, path))["state"] === "cancelled", "the end");
  expect(await stateOf(gateway, path)).toMatchObject({ reason: "abandoned" });
});

test("with cancelAfter, a run is not stopped if a client comes back in time", async () => {
  const run = { onDisconnect: { cancelAfter: "300ms" } };
  const [kept, left] = [await begin({ run }), await begin({ run })];
  await leave(kept.response);
  const back = await send(kept.gateway, kept.path);
  // Its time begins later.
  await leave(left.response);
  await left.request.aborted;
  expect(kept.request.isAborted()).toBe(false);
  await leave(back);
  await kept.request.aborted;
});

test("a run that takes too long, or is too large, is cut short", async () => {
  const slow = await begin({ run: { dialect: "openai", total: "1s" } });
  await slow.request.aborted;
  const text = await slow.response.text();
  expect(text).toContain('data: {"error":{"message":"the run took too long","type":"server_error"');
  expect(await stateOf(slow.gateway, slow.path)).toMatchObject({ state: "truncated", reason: "timeout" });
  const large = await begin({ run: { dialect: "anthropic", limits: { bytes: 1000 } } });
  large.request.send(`data: ${"x".repeat(2000)}\n\n`);
  await large.request.aborted;
  expect(await large.response.text()).toContain('event: error\ndata: {"type":"error","error":{"type":"api_error"');
  expect(await stateOf(large.gateway, large.path)).toMatchObject({ state: "truncated", reason: "too-large" });
});

test("a response that is cut is told in the words of the dialect; without words, it is cut", async () => {
  for (const [dialect, words] of [
    ["ai-sdk", 'data: {"type":"error","errorText":"the response was cut off"}'],
    ["openai", 'data: {"error":{"message":"the response was cut off"'],
  ] as const) {
    const { request, response } = await begin({ run: { dialect } });
    request.response.destroy();
    expect(await response.text()).toContain(words);
  }
  const { gateway, request, response, path } = await begin({});
  const reading = read(response);
  await reading.until(() => reading.events.length === 1);
  request.response.destroy();
  await eventually(() => reading.ended, "the end");
  await eventually(async () => (await stateOf(gateway, path))["state"] === "truncated", "the state");
  await expect((await send(gateway, path)).text()).rejects.toThrow();
  const over = await send(gateway, path, { "last-event-id": reading.events[0]!.id! });
  expect(await over.json()).toMatchObject({ status: 410, code: "run-truncated" });
});

test("one client has a limited number of runs at a time", async () => {
  const { gateway, request, path, origin } = await begin({ run: { limits: { perSubject: 1 } } });
  const refused = await post(gateway);
  expect(await refused.json()).toMatchObject({ status: 429, code: "too-many-runs" });
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  request.response.end();
  await eventually(async () => (await stateOf(gateway, path))["state"] === "completed", "the end");
  const answering = post(gateway, {}, {});
  await eventually(() => origin.requests.length === 2, "another run");
  origin.requests[1]!.response.end();
  await answering;
});
