import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createGateway, type Gateway, type GatewayConfig } from "spillway";
import { startNumberedUpstream, type NumberedUpstream } from "../../support/numbered-upstream.js";
import { eventually, read } from "../../support/reader.ts";

/** The server of Surflux's guide for its clients: `preset: surflux` with the guide's variables. */

let source: NumberedUpstream;
let gateway: Gateway;
let base: string;

beforeEach(async () => {
  source = await startNumberedUpstream({ parameter: "last-id", retry: 10 });
  vi.stubEnv("SURFLUX_API_URL", source.origin);
  vi.stubEnv("SURFLUX_API_KEY", "source-key");
});

afterEach(async () => {
  await gateway.close();
  await source.close();
  vi.unstubAllEnvs();
});

async function start(config: GatewayConfig = {}): Promise<void> {
  const streams = { surflux: { upstream: { linger: 50, backoff: { min: 5, max: 50 } } } };
  gateway = await createGateway({ preset: "surflux", listen: "127.0.0.1:0", store: "memory:", streams, ...config });
  base = `http://127.0.0.1:${(await gateway.listen()).port}`;
}

async function connection(): Promise<unknown> {
  return ((await (await fetch(`${base}/api/status`)).json()) as { upstreamConnection: unknown }).upstreamConnection;
}

test("the source is connected while a client subscribes, and /api/status reports it in the guide's terms", async () => {
  await start();
  expect(await connection()).toBe("closed");
  source.control({ next: [{ hang: true }] });
  const reading = read(await fetch(`${base}/api/sse`));
  await eventually(async () => (await connection()) === "CONNECTING");
  source.control({ drop: "reset" });
  await reading.cancel();
  await eventually(async () => (await connection()) === "closed");
  const again = read(await fetch(`${base}/api/sse`));
  await eventually(async () => (await connection()) === "OPEN");
  await again.cancel();
  source.control({ always: { status: 204 } });
  await eventually(() => source.state().open === 0);
  const last = read(await fetch(`${base}/api/sse`));
  await eventually(async () => (await connection()) === "CLOSED");
  await last.cancel();
});

test("clients get the source's ids, and resume with them by header or last-id without a gap", async () => {
  await start();
  const first = read(await fetch(`${base}/api/sse`));
  source.control({ emit: 4 });
  await first.until(() => first.data().length === 4);
  const idsOf = ({ events }: typeof first): unknown[] =>
    events.filter(({ event }) => event === "message").map(({ id }) => id);
  expect(idsOf(first)).toEqual(["1", "2", "3", "4"]);
  await first.cancel();
  const requests: Array<[query: string, headers: Record<string, string>, first: number]> = [
    ["", { "last-event-id": "2" }, 3],
    ["?last-id=2", {}, 3],
    ["?last-id=0", {}, 1],
    ["?last-id=1", { "last-event-id": "2" }, 3],
    ["?last-id=", { "last-event-id": "2" }, 3],
  ];
  for (const [query, headers, from] of requests) {
    const reading = read(await fetch(`${base}/api/sse${query}`, { headers }));
    await reading.until(() => reading.data().length === 5 - from);
    expect(reading.response.headers.get("spillway-resume")).toBe("resumed");
    expect(idsOf(reading)[0]).toBe(String(from));
    await reading.cancel();
  }
  const live = await fetch(`${base}/api/sse?last-id=$`);
  expect(live.headers.get("spillway-resume")).toBe("live");
  await live.body!.cancel();
});

test("the type in the source's JSON is the channel", async () => {
  await start();
  const reading = read(await fetch(`${base}/streams/surflux/package_event,address_update`));
  const types = ["deepbook_live_trades", "package_event", "other", "address_update"];
  const body = types.map((type, i) => `id: ${i + 1}-0\ndata: ${JSON.stringify({ type, data: {} })}\n\n`).join("");
  source.control({ next: [{ body, then: "silence" }], drop: "end" });
  await reading.until(() => reading.data().length === 2);
  expect(reading.data().map((data) => (JSON.parse(data) as { type: string }).type)).toEqual([
    "package_event",
    "address_update",
  ]);
  await reading.cancel();
  const resumed = read(await fetch(`${base}/api/sse?last-id=2-0`));
  await resumed.until(() => resumed.data().length === 2);
  expect(resumed.response.headers.get("spillway-resume")).toBe("resumed");
  expect(resumed.events.filter(({ event }) => event === "message").map(({ id }) => id)).toEqual(["3-0", "4-0"]);
  await resumed.cancel();
});

test("pages of any origin may subscribe, without cookies", async () => {
  await start();
  const { headers, body } = await fetch(`${base}/api/sse`, { headers: { origin: "https://app.example" } });
  expect(headers.get("access-control-allow-origin")).toBe("*");
  expect(headers.get("access-control-allow-credentials")).toBeNull();
  await body!.cancel();
});

test("without an access section nobody has admin rights, and with one everything is denied by default", async () => {
  const paths = ["/status", "/metrics", "/api/sse", "/api/status", "/api/metrics", "/streams", "/streams/surflux"];
  const statuses = (): Promise<number[]> =>
    Promise.all(
      paths.map(async (path) => {
        const { status, body } = await fetch(base + path, { headers: { accept: "*/*" } });
        await body!.cancel();
        return status;
      }),
    );
  await start();
  expect(await statuses()).toEqual([403, 403, 200, 200, 200, 200, 200]);
  await gateway.close();
  await start({ access: { keys: [{ name: "web", hash: `sha256:${"0".repeat(64)}` }] } });
  expect(await statuses()).toEqual(paths.map(() => 401));
});

test("CLIENT_API_KEY protects everything that shows data", async () => {
  const key = "the-key-that-the-guide-s-clients-send";
  vi.stubEnv("CLIENT_API_KEY", key);
  await start();
  for (const path of ["/api/sse", "/api/status", "/api/metrics", "/streams", "/streams/surflux"]) {
    for (const [headers, expected] of [
      [{}, 401],
      [{ "x-api-key": `${key}.` }, 401],
      [{ "x-api-key": key }, 200],
    ] as const) {
      const { status, body } = await fetch(base + path, { headers });
      await body!.cancel();
      expect([path, status]).toEqual([path, expected]);
    }
  }
  expect((await fetch(`${base}/status`, { headers: { "x-api-key": key } })).status).toBe(403);
});

test("the value of resume.initial is sent while no id is stored", async () => {
  const resume = { query: "last-id", initial: "$" };
  await start({ streams: { surflux: { upstream: { connect: "always", resume, backoff: { min: 5, max: 50 } } } } });
  await eventually(() => source.state().open === 1);
  source.control({ emit: 2 });
  await eventually(() => JSON.stringify(gateway.status()).includes('"lastEventId":"2"'));
  source.control({ drop: "end" });
  await eventually(() => source.state().connections.length === 2);
  expect(source.state().connections.map(({ query }) => query["last-id"])).toEqual(["$", "2"]);
});
