// The interface that is tested here is the one with `on…` members.
// oxlint-disable unicorn/prefer-add-event-listener
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { EventSource, type EventSourceError } from "../../../src/client/index.ts";
import { hurry } from "../../support/client.ts";
import { serveGateway, type GatewayServer } from "../../support/gateway-server.ts";
import { eventually } from "../../support/reader.ts";
import { ending, refusing, startScriptedServer, streaming } from "../../support/scripted-server.ts";

let server: GatewayServer;

beforeAll(async () => {
  server = await serveGateway({ store: "memory:", access: { anonymous: ["subscribe"] }, streams: { s: {} } });
});
afterAll(() => server.close());

test("it has the interface of the browser's, with control events as named events", async () => {
  const source = new EventSource(`${server.url}/streams/s`);
  onTestFinished(() => source.close());
  expect([source.readyState, source.url, source.withCredentials]).toEqual([0, `${server.url}/streams/s`, false]);
  expect([EventSource.CONNECTING, EventSource.OPEN, source.CLOSED]).toEqual([0, 1, 2]);
  const seen: unknown[] = [];
  const note = ({ type, data, lastEventId, origin }: MessageEvent<string>): unknown =>
    seen.push([type, type === "connected" ? "" : data, lastEventId, origin]);
  source.onopen = () => seen.push("open");
  source.onmessage = note;
  for (const type of ["connected", "trade"])
    source.addEventListener(type, (event) => note(event as MessageEvent<string>));
  await eventually(() => seen.length === 2);
  const { origin } = new URL(server.url);
  const [first, second] = await server.gateway.publish("s", [
    { data: "one\ntwo" },
    { event: "trade", data: { price: 1 } },
  ]);
  await eventually(() => seen.length === 4);
  expect(seen).toEqual([
    "open",
    ["connected", "", expect.stringMatching(/\.0$/), origin],
    ["message", "one\ntwo", first, origin],
    ["trade", '{"price":1}', second, origin],
  ]);
  source.close();
  expect(source.readyState).toBe(2);
});

test("it reconnects after failures that may pass, and tells what happened", async () => {
  const scripts = [refusing(502), ending("id: 1\ndata: 1\n\nid: 2\n\n"), streaming("data: 2\n\n")] as const;
  const other = await startScriptedServer(...scripts);
  onTestFinished(other.close);
  const source = new EventSource(other.url, { backoff: hurry });
  onTestFinished(() => source.close());
  const seen: unknown[] = [];
  source.onmessage = ({ data }) => seen.push(data);
  source.onerror = ({ error }: EventSourceError) => seen.push(error?.code);
  await eventually(() => seen.length === 4);
  expect(seen).toEqual(["status-unexpected", "1", "stream-ended", "2"]);
  expect(other.requests.map(({ headers }) => headers["last-event-id"])).toEqual([undefined, undefined, "2"]);
});

test("it is closed after an error that does not pass, and by 204", async () => {
  for (const [status, code] of [
    [404, "status-unexpected"],
    [204, undefined],
  ] as const) {
    const other = await startScriptedServer(ending("data: last\n\n"), refusing(status));
    onTestFinished(other.close);
    const source = new EventSource(other.url, { backoff: hurry });
    const seen: unknown[] = [];
    source.onmessage = ({ data }) => seen.push(data);
    source.onerror = ({ error }) => seen.push([source.readyState, error?.code]);
    await eventually(() => source.readyState === 2);
    await eventually(() => seen.length === 3);
    expect(seen).toEqual(["last", [0, "stream-ended"], [2, code]]);
  }
});

test("an invalid URL throws", () => {
  expect(() => new EventSource("http://")).toThrow(TypeError);
});
