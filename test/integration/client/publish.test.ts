import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { publish } from "../../../src/client/index.ts";
import { collect, hurry } from "../../support/client.ts";
import { bearer, makeKey } from "../../support/credentials.ts";
import { serveGateway, type GatewayServer } from "../../support/gateway-server.ts";
import { eventually } from "../../support/reader.ts";
import { refusing, startScriptedServer } from "../../support/scripted-server.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";

const key = makeKey("app", { can: ["subscribe", "publish"] });
let server: GatewayServer;

beforeAll(async () => {
  server = await serveGateway({ store: "memory:", access: { keys: [key.config] }, streams: { orders: {}, lossy: {} } });
});
afterAll(() => server.close());

const token = key.key;

test("events are appended with their type and channel, and their ids returned", async () => {
  const url = `${server.url}/streams/orders`;
  const client = collect(url, { token, channels: ["user:1"] });
  await eventually(() => client.subscription.state.status === "open");
  const ids = await publish(url, [{ event: "created", channel: "user:1", data: { item: "tea" } }, { data: "x" }], {
    token,
  });
  expect(ids).toHaveLength(2);
  await eventually(() => client.events.length === 1);
  expect(client.events).toMatchObject([{ type: "created", data: { item: "tea" }, id: ids[0] }]);
});

test("a request whose answer is lost is sent again, and its event is appended once", async () => {
  const proxy = await startTcpProxy(server.port);
  onTestFinished(proxy.close);
  const url = `http://127.0.0.1:${proxy.port}/streams/lossy`;
  proxy.loseAnswers(true);
  const publishing = publish(url, { data: 1 }, { token, backoff: hurry, attempts: 1000 });
  await eventually(() => proxy.accepted() >= 3);
  proxy.loseAnswers(false);
  const [id] = await publishing;
  const head = await publish(url, { data: 2 }, { token });
  const page = await fetch(`${server.url}/streams/lossy?after=earliest`, {
    headers: { ...bearer(token), accept: "application/json" },
  });
  expect(await page.json()).toMatchObject({
    events: [
      { id, data: "1" },
      { id: head[0], data: "2" },
    ],
  });
});

test("a refused event is an error with the server's code, at once", async () => {
  const request = publish(`${server.url}/streams/orders`, { data: 1, event: "a,b" }, { token });
  await expect(request).rejects.toMatchObject({ name: "ClientError", code: "request-invalid", status: 400 });
});

test("a token is refreshed once, and attempts are limited", async () => {
  const refusals = await startScriptedServer(refusing(401), refusing(503));
  onTestFinished(refusals.close);
  const refreshes: boolean[] = [];
  const request = publish(
    `${refusals.url}streams/a`,
    { data: 1 },
    {
      token: ({ refresh }) => String(refreshes.push(refresh)),
      backoff: hurry,
      attempts: 3,
    },
  );
  await expect(request).rejects.toMatchObject({ status: 503 });
  expect(refreshes).toEqual([false, true, false]);
  const keys = refusals.requests.map(({ headers }) => headers["idempotency-key"]);
  expect(new Set(keys).size).toBe(1);
});

test("a signal ends the attempts", async () => {
  const refusals = await startScriptedServer(refusing(503));
  onTestFinished(refusals.close);
  const controller = new AbortController();
  const request = publish(refusals.url, { data: 1 }, { signal: controller.signal, backoff: { min: 1e6 } });
  await eventually(() => refusals.requests.length === 1);
  controller.abort();
  await expect(request).rejects.toMatchObject({ name: "AbortError" });
});

test("an answer that is not a Spillway's is an error, after which the events may have been appended", async () => {
  const scripted = await startScriptedServer(refusing(200, { "content-type": "application/json" }, "{}"));
  onTestFinished(scripted.close);
  const publishing = publish(scripted.url, { data: 1 }, { backoff: hurry, attempts: 2 });
  await expect(publishing).rejects.toMatchObject({ name: "ClientError", code: "connection-lost" });
  expect(scripted.requests).toHaveLength(2);
});
