import { createGateway, type CreateGatewayConfig, type Gateway, type GatewayConfig, type RunConfig } from "spillway";
import type { LogStore } from "spillway/log";
import { createMemoryStore } from "spillway/memory";
import { expect, onTestFinished, test } from "vitest";
import { eventually, read } from "../../support/reader.ts";
import { startRunOrigin, type OriginRequest, type RunOrigin } from "../../support/run-origin.ts";
import { pathOf, post, send, stateOf, withoutIds } from "../../support/runs.ts";

type Runs = Readonly<Record<string, Partial<RunConfig>>>;

/** A gateway with runs of an origin; `change` reloads it with other ones. */
async function open(
  { url }: RunOrigin,
  runs: Runs,
): Promise<{ readonly gateway: Gateway; change(next: Runs): Promise<void> }> {
  const configOf = (entries: Runs): GatewayConfig => ({
    store: "memory:",
    drain: "1s",
    streams: { s: {} },
    runs: Object.fromEntries(Object.entries(entries).map(([path, run]) => [path, { upstream: { url }, ...run }])),
  });
  let current = runs;
  const gateway = await createGateway(configOf(runs), { readConfig: () => configOf(current) });
  onTestFinished(() => gateway.close());
  return {
    gateway,
    change(next) {
      current = next;
      return gateway.reload();
    },
  };
}

/** Starts a run that has sent one block. */
async function begin(
  gateway: Gateway,
  origin: RunOrigin,
  path = "/v1/chat",
  headers = {},
): Promise<{ readonly request: OriginRequest; readonly response: Response; readonly run: string }> {
  const known = origin.requests.length;
  const answering = post(gateway, {}, headers, path);
  await eventually(() => origin.requests.length > known, "a request");
  const request = origin.requests[known]!;
  request.send("data: 1\n\n");
  const response = await answering;
  return { request, response, run: pathOf(response) };
}

test.each([
  ["another route", { "/v2/**": {} }],
  ["no runs", {}],
])("a running run survives a reload after which there is %s instead of its route", async (_, next) => {
  const origin = await startRunOrigin();
  const { gateway, change } = await open(origin, { "/v1/**": { dialect: "openai" } });
  const [kept, stopped] = [await begin(gateway, origin), await begin(gateway, origin)];
  await change(next);
  expect((await post(gateway)).status).toBe(404);
  const joined = await send(gateway, kept.run);
  kept.request.response.end("data: 2\n\ndata: [DONE]\n\n");
  const [own, other] = await Promise.all([kept.response.text(), joined.text()]);
  expect(withoutIds(own)).toBe("data: 1\n\ndata: 2\n\ndata: [DONE]\n\n");
  expect(other).toBe(own);
  expect(await stateOf(gateway, kept.run)).toMatchObject({ state: "completed", route: "/v1/**" });
  expect((await send(gateway, stopped.run, {}, "DELETE")).status).toBe(204);
  await stopped.request.aborted;
  expect(withoutIds(await stopped.response.text())).toBe("data: 1\n\ndata: [DONE]\n\n");
});

test("after a reload, new runs follow the new rules, and running ones those that they have begun with", async () => {
  const origin = await startRunOrigin();
  const { gateway, change } = await open(origin, { "/v1/**": { dialect: "openai" } });
  const before = await begin(gateway, origin, "/v1/chat", { "idempotency-key": "k" });
  await change({ "/v1/**": { dialect: "ai-sdk", onDisconnect: "cancel", limits: { perSubject: 2 } } });
  const after = await begin(gateway, origin);
  expect((await post(gateway)).status).toBe(429);
  // The same request gets the run that it has started.
  const again = await post(gateway, {}, { "idempotency-key": "k" });
  expect(pathOf(again)).toBe(before.run);
  for (const response of [before.response, again, after.response]) {
    const reading = read(response);
    await reading.until(({ events }) => events.length === 1);
    await reading.cancel();
  }
  await after.request.aborted;
  expect(before.request.isAborted()).toBe(false);
  before.request.response.destroy();
  const told = await begin(gateway, origin);
  told.request.response.destroy();
  expect(await told.response.text()).toContain('data: {"type":"error","errorText":"the response was cut off"}');
  const text = await (await send(gateway, before.run)).text();
  expect(text).toContain('data: {"error":{"message":"the response was cut off"');
});

test("runs that a reload adds are served, also where there were none", async () => {
  const origin = await startRunOrigin();
  const { gateway, change } = await open(origin, {});
  expect((await post(gateway)).status).toBe(404);
  await change({ "/v1/**": {} });
  const { request, response, run } = await begin(gateway, origin);
  request.response.end();
  expect(withoutIds(await response.text())).toBe("data: 1\n\n");
  expect(await stateOf(gateway, run)).toMatchObject({ state: "completed" });
});

test("a reload to shorter times does not remove what running runs have stored", async () => {
  const store = createMemoryStore();
  onTestFinished(() => store.close());
  const ages: Array<number | undefined> = [];
  const recording: LogStore = {
    ...store,
    open(name, options) {
      if (name === "_runs") ages.push(options.retention.age);
      return store.open(name, options);
    },
  };
  const upstream = { url: (await startRunOrigin()).url };
  let run: RunConfig = { upstream, ttl: "4h", total: "2h" };
  const configOf = (): CreateGatewayConfig => ({ store: recording, runs: { "/v1/**": run } });
  const gateway = await createGateway(configOf(), { readConfig: configOf });
  onTestFinished(() => gateway.close());
  for (const ttl of ["1h", "9h", "2h"]) {
    run = { upstream, ttl, total: "1h" };
    await gateway.reload();
  }
  expect(ages.map((age) => age! / 3_600_000)).toEqual([6, 6, 10, 10]);
});
