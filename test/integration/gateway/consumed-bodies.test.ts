import { once } from "node:events";
import { createServer } from "node:http";
import { connect, createServer as createHttp2Server } from "node:http2";
import { buffer } from "node:stream/consumers";
import { createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { startScriptedServer } from "../../support/scripted-server.ts";

/** Requests whose body something in front of the gateway has read. */

/** What is left of a body. */
type Left = "raw" | "buffer" | "text" | "json" | "nothing";

const secret = "It's a secret";
let gateway: Gateway;
let target: Awaited<ReturnType<typeof startScriptedServer>>;

beforeEach(async () => {
  target = await startScriptedServer((response, { body }) => void response.end(body));
  gateway = await createGateway({
    store: "memory:",
    streams: { s: { webhook: { scheme: "hmac", secret, header: "x-signature" } } },
    routes: { "/api/*": { upstream: { url: target.url }, access: "none" } },
    access: { anonymous: ["subscribe", "publish"] },
    limits: { body: "1KiB" },
  });
});
afterEach(async () => {
  await gateway.close();
  await target.close();
});

interface Call {
  readonly path: string;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

type Send = (left: Left, call: Call) => Promise<Response>;

/** As the usual body parsers of node:http frameworks leave it. */
const overNode: Send = async (left, { path, type, body, headers }) => {
  const handle = gateway.node();
  const server = createServer((request, response) => {
    void buffer(request).then((bytes) => {
      if (left === "raw") Object.assign(request, { rawBody: bytes, body: JSON.parse(String(bytes)) as unknown });
      if (left === "buffer") Object.assign(request, { body: bytes });
      if (left === "text") Object.assign(request, { body: String(bytes) });
      if (left === "json") Object.assign(request, { body: JSON.parse(String(bytes)) as unknown });
      handle(request, response);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  return fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { "content-type": type, "connection": "close", ...headers },
    body,
  });
};

const overFetch: Send = async (left, { path, type, body, headers }) => {
  const init = { method: "POST", headers: { "content-type": type, ...headers }, body };
  const request = new Request(`http://gateway.test${path}`, init);
  const text = await request.text();
  const bodies = { raw: Buffer.from(text), buffer: new TextEncoder().encode(text).buffer, text, nothing: undefined };
  return gateway.fetch(request, { body: left === "json" ? (JSON.parse(text) as unknown) : bodies[left] });
};

const json = "application/json";
const events = '[{"data":{"price":1.50,"größe":"ß"}},{"data":"2"}]';

describe.each([
  { name: "node:http", send: overNode },
  { name: "fetch", send: overFetch },
])("over $name", ({ send }) => {
  async function stored(): Promise<string[]> {
    const response = await gateway.fetch(
      new Request("http://x/streams/s?after=earliest", { headers: { accept: json } }),
    );
    return ((await response.json()) as { events: { data: string }[] }).events.map(({ data }) => data);
  }

  test.each(["raw", "buffer", "text", "json"] as const)("events are published from a body left as %s", async (left) => {
    const response = await send(left, { path: "/streams/s/events", type: json, body: events });
    expect(response.status).toBe(200);
    expect(await stored()).toEqual(['{"price":1.5,"größe":"ß"}', "2"]);
  });

  test.each(["buffer", "text"] as const)("NDJSON is published from a body left as %s", async (left) => {
    const body = '{"data":"1"}\n{"data":"2"}\n';
    const type = "application/x-ndjson";
    expect((await send(left, { path: "/streams/s/events", type, body })).status).toBe(200);
    expect(await stored()).toEqual(["1", "2"]);
  });

  test.each(["raw", "buffer", "text", "json"] as const)(
    "a body left as %s has the same limits and errors",
    async (left) => {
      const tooLarge = await send(left, {
        path: "/streams/s/events",
        type: json,
        body: JSON.stringify({ data: "x".repeat(1024) }),
      });
      expect([tooLarge.status, await tooLarge.json()]).toMatchObject([413, { code: "body-too-large" }]);
      const invalid = await send(left, { path: "/streams/s/events", type: json, body: '{"dta":1}' });
      expect([invalid.status, await invalid.json()]).toMatchObject([400, { code: "request-invalid" }]);
      expect(await stored()).toEqual([]);
    },
  );

  test.each(["raw", "buffer", "text", "json"] as const)("a ticket is issued for a body left as %s", async (left) => {
    const response = await send(left, { path: "/tickets", type: json, body: '{"stream":"s"}' });
    // Anonymous clients get none, but the request was understood.
    expect(await response.json()).toMatchObject({ code: "access-denied" });
  });

  const body = '{ "n": 1.0 }';
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  const webhook: Call = { path: "/webhooks/s", type: json, body, headers: { "x-signature": signature } };

  test.each(["raw", "buffer", "text"] as const)(
    "the signature of a webhook is checked on a body left as %s",
    async (left) => {
      expect((await send(left, webhook)).status).toBe(200);
      const forged = await send(left, { ...webhook, body: '{"n":2}' });
      expect([forged.status, await forged.json()]).toMatchObject([401, { code: "signature-invalid" }]);
    },
  );

  test("a webhook whose bytes are gone is refused with what to do", async () => {
    for (const left of ["json", "nothing"] as const) {
      const response = await send(left, webhook);
      expect([response.status, await response.json()]).toMatchObject([
        500,
        { code: "body-consumed", field: "body", detail: expect.stringContaining("rawBody") as string },
      ]);
    }
    expect(await stored()).toEqual([]);
  });

  test("a publish request of which nothing is left, or only the value of a form, is refused with what to do", async () => {
    for (const call of [
      { left: "nothing", type: json },
      { left: "json", type: "application/x-www-form-urlencoded" },
    ] as const) {
      const response = await send(call.left, { path: "/streams/s/events", type: call.type, body: events });
      expect([response.status, await response.json()]).toMatchObject([500, { code: "body-consumed" }]);
    }
  });

  test("a body is forwarded to a target as it was received, or not at all", async () => {
    const call = { path: "/api/x", type: json, body };
    for (const left of ["raw", "buffer", "text"] as const) expect(await (await send(left, call)).text()).toBe(body);
    const { length } = target.requests;
    const refused = await send("json", call);
    expect([refused.status, await refused.json()]).toMatchObject([500, { code: "body-consumed" }]);
    expect(target.requests).toHaveLength(length);
  });
});

test("over HTTP/2, events are published from a body that a parser has read", async () => {
  const handle = gateway.node();
  const server = createHttp2Server((request, response) => {
    void buffer(request).then((bytes) => {
      Object.assign(request, { body: JSON.parse(String(bytes)) as unknown });
      handle(request, response);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const session = connect(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
  onTestFinished(() => {
    session.destroy();
    server.close();
  });
  const stream = session.request({ ":method": "POST", ":path": "/streams/s/events", "content-type": json });
  stream.end(events);
  const [headers] = (await once(stream, "response")) as [{ ":status": number }];
  expect([headers[":status"], JSON.parse(String(await buffer(stream)))]).toMatchObject([
    200,
    { ids: [expect.any(String), expect.any(String)] },
  ]);
});
