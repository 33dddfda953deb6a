import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createGateway, createLazyGateway, type Gateway } from "../../../src/index.ts";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { notFound, origin, type App, type AppParts, type AppRequest, type Framework } from "./app.ts";

const secret = "It's a secret";
const json = "application/json";
const connected = ({ events }: Reading): boolean => events.length > 0;

/** Checks what every framework must keep of the gateway, and the gateway of every framework. */
export function testFramework(framework: Framework): void {
  describe(framework.name, () => {
    let gateway: Gateway;
    let app: App;
    let closed: boolean;

    beforeEach(async () => {
      closed = false;
      gateway = await createGateway({
        store: "memory:",
        streams: { orders: { webhook: { scheme: "hmac", secret, header: "x-signature" } } },
        access: { anonymous: ["subscribe", "publish"], tickets: { anonymous: true } },
        limits: { body: "1KiB" },
      });
    });
    afterEach(async () => {
      if (!closed) await app.close();
      await gateway.close();
    });

    async function start(parts: Omit<AppParts, "gateway"> = {}): Promise<void> {
      app = await framework.start({ gateway, ...parts });
    }

    async function close(): Promise<void> {
      closed = true;
      await app.close();
    }

    async function subscribe(path = "/live/streams/orders", init?: AppRequest): Promise<Reading> {
      const reading = read(await app.request(path, init));
      onTestFinished(() => reading.cancel().catch(() => {}));
      return reading.until(connected);
    }

    const post = (path: string, body: string, type = json, headers: Record<string, string> = {}): Promise<Response> =>
      app.request(path, { method: "POST", headers: { "content-type": type, ...headers }, body });

    const codeOf = async (response: Response): Promise<unknown[]> => {
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      return [response.status, ((await response.json()) as { code: string }).code];
    };

    describe("paths", () => {
      test.each(["/live", "/api/v1/live"])("the gateway is at %s, and gives out URLs below it", async (mount) => {
        await start();
        const reading = await subscribe(`${mount}/streams/orders`);
        const { ids } = (await (await post(`${mount}/streams/orders/events`, '{"data":"1"}')).json()) as {
          ids: string[];
        };
        await reading.until(({ events }) => events.at(-1)?.id === ids[0]);
        const ticket = await post(`${mount}/tickets`, '{"stream":"orders"}');
        const { url } = (await ticket.json()) as { url: string };
        expect(new URL(url).pathname).toBe(`${mount}/streams/orders`);
        const { pathname, search } = new URL(url);
        await subscribe(pathname + search);
      });

      test("all other paths are the application's, also those below the mount", async () => {
        await start();
        expect(await (await app.request("/hello")).text()).toBe("hello");
        for (const path of ["/nowhere", "/live/nowhere", "/livestock", "/api/v1/live/no/where"]) {
          const response = await app.request(path);
          expect([response.status, await response.text()]).toEqual([404, notFound]);
        }
      });

      test("the mount itself is the gateway's home", async () => {
        await start();
        const facts = await app.request("/live/", { headers: { accept: json } });
        expect(await facts.json()).toMatchObject({ streams: [{ path: "/live/streams/orders" }] });
      });
    });

    describe("subscriptions", () => {
      test("the first event arrives at once through compression, and no event is held back", async () => {
        await start();
        const reading = await subscribe("/live/streams/orders", {
          headers: { "accept-encoding": "gzip, br, deflate" },
        });
        expect(reading.response.headers.get("content-encoding")).toBeNull();
        expect(reading.response.headers.get("content-type")).toBe("text/event-stream");
        for (const data of ["1", "2", "3"]) {
          await gateway.publish("orders", { data });
          await reading.until(() => reading.data().at(-1) === data);
        }
      });

      test("a client resumes without a gap, over SSE, NDJSON and long poll", async () => {
        await start();
        const [first] = await gateway.publish("orders", [{ data: "1" }, { data: "2" }]);
        const headers = { "last-event-id": first! };
        const resumed = await subscribe("/live/streams/orders", { headers });
        expect(resumed.response.headers.get("spillway-resume")).toBe("resumed");
        await resumed.until(() => resumed.data().length === 1);
        expect(resumed.data()).toEqual(["2"]);

        const poll = await app.request("/live/streams/orders", { headers: { ...headers, accept: json } });
        expect(await poll.json()).toMatchObject({ events: [{ data: "2" }], gap: null });
        const lines = await app.request("/live/streams/orders", {
          headers: { ...headers, accept: "application/x-ndjson" },
        });
        const reader = lines.body!.pipeThrough(new TextDecoderStream()).getReader();
        let text = "";
        while (!text.includes('"data":"2"')) text += (await reader.read()).value;
        await reader.cancel();
      });

      test("a long poll waits for an event", async () => {
        await start();
        const [id] = await gateway.publish("orders", { data: "0" });
        const poll = app.request(`/live/streams/orders?wait=50&after=${id}`, { headers: { accept: json } });
        await Promise.race([poll, sleep(50)]);
        await gateway.publish("orders", { data: "1" });
        expect(await (await poll).json()).toMatchObject({ events: [{ data: "1" }] });
      });

      test("a client that disconnects is no subscriber any more", async () => {
        await start();
        const leaving = new AbortController();
        await subscribe("/live/streams/orders", { signal: leaving.signal });
        const staying = await subscribe();
        expect(gateway.subscribers("orders").total).toBe(2);
        leaving.abort();
        await eventually(() => gateway.subscribers("orders").total === 1);
        await gateway.publish("orders", { data: "1" });
        await staying.until(() => staying.data().length === 1);
      });

      test("a longest duration ends the response with a goodbye", async () => {
        await start({ maxDuration: 300 });
        const reading = await subscribe();
        await eventually(() => reading.ended, "the end of the response");
        expect(reading.controls("spillway.bye")).toMatchObject([{ reason: "duration" }]);
      });

      test("the address of a client is known where it connects to the application", async () => {
        await start();
        await subscribe();
        const addresses: unknown[] = [];
        for await (const { address } of gateway.stream("orders").clients()) addresses.push(address);
        expect(addresses).toEqual([framework.listens ? "127.0.0.1" : undefined]);
      });
    });

    describe("headers", () => {
      test("the CORS headers of the framework are kept, on streams, answers and errors", async () => {
        await start();
        const headers = { origin };
        const responses = [
          (await subscribe("/live/streams/orders", { headers })).response,
          await post("/live/streams/orders/events", '{"data":"1"}', json, headers),
          await app.request("/live/streams/nothing", { headers }),
        ];
        expect(responses.map(({ status }) => status)).toEqual([200, 200, 404]);
        for (const response of responses) expect(response.headers.get("access-control-allow-origin")).toBe(origin);
      });

      test("the framework answers preflight requests", async () => {
        await start();
        const headers = { origin, "access-control-request-method": "POST" };
        const response = await app.request("/live/streams/orders/events", { method: "OPTIONS", headers });
        expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([204, origin]);
      });

      test("HEAD gets the headers of GET without a body", async () => {
        await start();
        const response = await app.request("/live/streams/orders", { method: "HEAD" });
        expect([response.status, response.headers.get("spillway-resume")]).toEqual([200, "live"]);
        expect(await response.text()).toBe("");
        expect(gateway.subscribers("orders").total).toBe(0);
      });
    });

    describe("bodies behind a body parser", () => {
      test("JSON is published", async () => {
        await start();
        const response = await post("/live/streams/orders/events", '[{"data":{"n":1}},{"data":"2"}]');
        expect(response.status).toBe(200);
        const poll = await app.request("/live/streams/orders?after=earliest", { headers: { accept: json } });
        expect(await poll.json()).toMatchObject({ events: [{ data: '{"n":1}' }, { data: "2" }] });
      });

      test("NDJSON, which it does not parse, is published", async () => {
        await start();
        const body = '{"data":"1"}\n{"data":"2"}\n';
        expect((await post("/live/streams/orders/events", body, "application/x-ndjson")).status).toBe(200);
      });

      test("limits and errors are the gateway's", async () => {
        await start();
        const large = JSON.stringify({ data: "x".repeat(2000) });
        expect(await codeOf(await post("/live/streams/orders/events", large))).toEqual([413, "body-too-large"]);
        expect(await codeOf(await post("/live/streams/orders/events", '{"dta":1}'))).toEqual([400, "request-invalid"]);
        expect(await codeOf(await post("/live/streams/orders/events", "<a/>", "application/xml"))).toEqual([
          415,
          "media-type-unsupported",
        ]);
      });

      const body = '{ "n": 1.0 }';
      const signature = createHmac("sha256", secret).update(body).digest("hex");
      const webhook = (text = body): Promise<Response> =>
        post("/live/webhooks/orders", text, json, { "x-signature": signature });

      test("the signature of a webhook is checked if its bytes are there, or the answer says that they are not", async () => {
        await start();
        const [valid, forged] = [await webhook(), await webhook('{"n":2}')];
        const [outcome, refusal] = framework.keepsBodies
          ? [200, [401, "signature-invalid"]]
          : [500, [500, "body-consumed"]];
        expect(valid.status).toBe(outcome);
        expect(await codeOf(forged)).toEqual(refusal);
      });
    });

    describe("errors", () => {
      test("refused requests get a problem, and the application goes on", async () => {
        await start();
        expect(await codeOf(await app.request("/live/streams/nothing"))).toEqual([404, "stream-unknown"]);
        expect(await codeOf(await app.request("/live/streams/orders?on-gap=perhaps"))).toEqual([
          400,
          "request-invalid",
        ]);
        expect(await codeOf(await app.request("/live/streams/orders", { method: "DELETE" }))).toEqual([
          405,
          "method-not-allowed",
        ]);
        expect(await codeOf(await app.request("/live/status"))).toEqual([403, "access-denied"]);
        await subscribe();
      });
    });

    describe("the framework's guard", () => {
      const as = (user: string, init: AppRequest = {}): AppRequest => ({
        ...init,
        headers: { "content-type": json, ...init.headers, "x-user": user },
      });

      test("decides what a user gets", async () => {
        await start({ guard: true });
        await gateway.publish("orders", { data: "for bob", channel: "user:bob" });
        await gateway.publish("orders", { data: "for ada", channel: "user:ada" });
        const path = "/live/streams/orders?after=earliest";
        const [ada, bob] = [await subscribe(path, as("ada")), await subscribe(path, as("bob"))];
        await ada.until(() => ada.data().length === 1);
        await bob.until(() => bob.data().length === 1);
        expect([ada.data(), bob.data()]).toEqual([["for ada"], ["for bob"]]);
        const publish = (channel: string): Promise<Response> =>
          app.request(
            "/live/streams/orders/events",
            as("ada", { method: "POST", body: JSON.stringify({ data: "more", channel }) }),
          );
        expect((await publish("user:ada")).status).toBe(200);
        expect(await codeOf(await publish("user:bob"))).toEqual([403, "access-denied"]);
      });

      test("refuses users itself, or leaves it to the gateway", async () => {
        await start({ guard: true });
        expect((await app.request("/live/streams/orders", as("nobody"))).status).toBe(401);
        expect(await codeOf(await app.request("/live/streams/orders", as("stranger")))).toEqual([403, "access-denied"]);
        expect(await codeOf(await app.request("/live/streams/orders", as("throws")))).toEqual([
          503,
          "authorize-unavailable",
        ]);
        await subscribe("/live/streams/orders", as("ada"));
      });
    });

    describe("the end", () => {
      test("an application with open streams, a long poll and idle connections ends at once, with a goodbye", async () => {
        await start();
        const reading = await subscribe();
        const [id] = await gateway.publish("orders", { data: "0" });
        const poll = app.request(`/live/streams/orders?wait=50&after=${id}`, { headers: { accept: json } });
        expect((await app.request("/live/health")).status).toBe(200);
        await Promise.race([poll, sleep(50)]);
        const begun = performance.now();
        await close();
        // Long before the long poll would have been answered.
        expect(performance.now() - begun).toBeLessThan(20_000);
        await eventually(() => reading.ended, "the end of the stream");
        expect(reading.controls("spillway.bye")).toMatchObject([{ reason: "drain" }]);
        expect(await (await poll).json()).toMatchObject({ events: [], gap: null });
        await Promise.all([gateway.close(), gateway.close()]);
      });

      test("a module that is loaded again replaces its gateway, and ends the old one's streams", async () => {
        const config = (name: string) => ({ store: "memory:", streams: { [name]: {} } });
        const before = createLazyGateway(config("before"), { name: framework.name });
        app = await framework.start({ gateway: before });
        const reading = await subscribe("/live/streams/before");
        const first = app;

        const after = createLazyGateway(config("after"), { name: framework.name });
        onTestFinished(() => after.close());
        app = await framework.start({ gateway: after });
        await subscribe("/live/streams/after");
        await eventually(() => reading.ended, "the end of the old stream");
        expect(reading.controls("spillway.bye")).toMatchObject([{ reason: "drain" }]);
        await first.close();
      });
    });
  });
}
