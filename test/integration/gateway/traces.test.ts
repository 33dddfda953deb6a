import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from "@opentelemetry/sdk-trace-base";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { startNumberedUpstream, type NumberedUpstream } from "../../support/numbered-upstream.js";
import { eventually } from "../../support/reader.ts";

const secret = "hunter2";
const exporter = new InMemorySpanExporter();

let source: NumberedUpstream;
let gateway: Gateway;

beforeEach(async () => {
  exporter.reset();
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  source = await startNumberedUpstream({ retry: 10 });
  gateway = await createGateway({
    store: "memory:",
    streams: {
      chat: {},
      numbers: {
        upstream: {
          url: `${source.url}?api-key=${secret}`,
          headers: { authorization: `Bearer ${secret}` },
          backoff: { min: 5, max: 20 },
        },
      },
    },
  });
});

afterEach(async () => {
  await gateway.close();
  await source.close();
  trace.disable();
  context.disable();
});

const spans = (name: string): ReadableSpan[] => exporter.getFinishedSpans().filter((span) => span.name === name);

test("appending a batch is one span, whatever the number of its events", async () => {
  await gateway.publish("chat", [{ data: secret }, { data: "b" }, { data: "c" }]);
  expect(spans("spillway.log.append").map(({ attributes }) => attributes)).toEqual([
    { "spillway.stream": "chat", "spillway.events": 3 },
  ]);
});

test("a connection attempt is a span, and a failed one has its error code", async () => {
  const connects = (): ReadableSpan[] => spans("spillway.upstream.connect");
  await eventually(() => connects().length === 1, "a connection");
  expect(connects()[0]).toMatchObject({
    attributes: { "spillway.stream": "numbers", "spillway.resumed": false },
    status: { code: SpanStatusCode.UNSET },
  });
  source.control({ next: [{ status: 401, body: secret }], drop: "end" });
  await eventually(() => connects().some(({ status }) => status.code === SpanStatusCode.ERROR), "a failure");
  expect(connects().find(({ status }) => status.code === SpanStatusCode.ERROR)).toMatchObject({
    attributes: { "http.response.status_code": 401 },
    status: { message: "upstream-status" },
  });
});

test("a replay is a span from the start of the subscription to the head; a subscription at the head has none", async () => {
  await gateway.publish("chat", [{ data: "a" }, { data: "b" }]);
  const clients = new AbortController();
  const get = (query: string): Promise<Response> =>
    gateway.fetch(
      new Request(`http://x/streams/chat${query}`, {
        headers: { accept: "text/event-stream" },
        signal: clients.signal,
      }),
    );
  const bodies = [await get(""), await get("?after=earliest")].map(({ body }) => body!.getReader());
  for (const body of bodies) await body.read();
  await eventually(() => spans("spillway.replay").length === 1, "a replay");
  expect(spans("spillway.replay")[0]!.attributes).toEqual({ "spillway.stream": "chat", "spillway.behind": 2 });
  clients.abort();
});

test("no span contains a credential, a URL or event data", async () => {
  await gateway.publish("chat", { data: secret, channel: secret });
  await eventually(() => spans("spillway.upstream.connect").length > 0, "a connection");
  const told = exporter
    .getFinishedSpans()
    .map(({ name, attributes, status, events }) => ({ name, attributes, status, events }));
  expect(JSON.stringify(told)).not.toContain(secret);
  expect(JSON.stringify(told)).not.toContain("http://");
});
