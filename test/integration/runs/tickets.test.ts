import { EventSource } from "eventsource";
import { expect, onTestFinished, test } from "vitest";
import type { GatewayConfig } from "spillway";
import { bearer, makeKey } from "../../support/credentials.ts";
import { serveGateway, type GatewayServer } from "../../support/gateway-server.ts";
import { eventually, read } from "../../support/reader.ts";
import { startRunOrigin, type OriginRequest, type RunOrigin } from "../../support/run-origin.ts";
import { pathOf } from "../../support/runs.ts";

const [ann, bob] = [makeKey("ann", { can: ["proxy"] }), makeKey("bob", { can: ["proxy"] })];

/** A gateway with runs at `/v1/**` and `/v2/**`, for both keys. */
async function serve({ url }: RunOrigin, lifetime = "1h"): Promise<GatewayServer> {
  const access: GatewayConfig["access"] = { keys: [ann.config, bob.config], tickets: { lifetime } };
  const runs = { "/v1/**": { upstream: { url } }, "/v2/**": { upstream: { url } } };
  const gateway = await serveGateway({ store: "memory:", drain: "1s", access, streams: { s: {} }, runs });
  onTestFinished(() => gateway.close());
  return gateway;
}

/** Starts a run that has sent one block; resolves to its path. */
async function begin({ url }: GatewayServer, origin: RunOrigin, path: string, key: string): Promise<string> {
  const known = origin.requests.length;
  const answering = fetch(url + path, { method: "POST", body: "{}", headers: bearer(key) });
  await eventually(() => origin.requests.length > known, "a request");
  origin.requests[known]!.send("data: 1\n\n");
  const response = await answering;
  await response.body?.cancel();
  return pathOf(response);
}

async function askFor({ url }: GatewayServer, route: string, key = ann.key): Promise<string> {
  const response = await fetch(`${url}/tickets`, {
    method: "POST",
    body: JSON.stringify({ route }),
    headers: bearer(key),
  });
  expect(response.status).toBe(201);
  const issued = (await response.json()) as { readonly ticket: string; readonly url?: string };
  expect(issued.url).toBeUndefined();
  return issued.ticket;
}

/** Follows an address as a page does, until the `EventSource` gives up. */
function follow(url: string): { readonly got: MessageEvent[]; readonly source: EventSource } {
  const source = new EventSource(url);
  onTestFinished(() => source.close());
  const got: MessageEvent[] = [];
  for (const type of ["message", "progress"])
    source.addEventListener(type, (event: MessageEvent) => void got.push(event));
  return { got, source };
}

const isClosed = (source: EventSource): boolean => source.readyState === source.CLOSED;

test("an EventSource joins a run with a ticket, and with another one misses nothing after the first has expired", async () => {
  const origin = await startRunOrigin();
  const gateway = await serve(origin, "2s");
  const path = await begin(gateway, origin, "/v1/chat", ann.key);
  const request: OriginRequest = origin.requests[0]!;
  const first = follow(`${gateway.url}${path}?ticket=${await askFor(gateway, "/v1/**")}`);
  await eventually(() => first.got.length === 1, "the first block");
  request.send("data: 2\n\n");
  await eventually(() => isClosed(first.source), "the expiry");
  expect(first.got.map(({ data }) => data as string)).toEqual(["1", "2"]);

  request.send("data: 3\n\n");
  const { lastEventId } = first.got.at(-1)!;
  const ticket = await askFor(gateway, "/v1/**");
  const second = follow(`${gateway.url}${path}?ticket=${ticket}&last-event-id=${lastEventId}`);
  await eventually(() => second.got.length === 1, "the next block");
  request.response.end("data: 4\n\n");
  // The end of the run ends the `EventSource`, too.
  await eventually(() => isClosed(second.source), "the end");
  expect(second.got.map(({ data }) => data as string)).toEqual(["3", "4"]);
});

test("a ticket for a route grants its holder's runs of that route, and no others", async () => {
  const origin = await startRunOrigin();
  const gateway = await serve(origin);
  const own = await begin(gateway, origin, "/v1/chat", ann.key);
  const ofOtherRoute = await begin(gateway, origin, "/v2/chat", ann.key);
  const ofOther = await begin(gateway, origin, "/v1/chat", bob.key);
  const ticket = await askFor(gateway, "/v1/**");
  const get = (path: string, method = "GET"): Promise<Response> =>
    fetch(`${gateway.url}${path}?ticket=${ticket}`, { method, headers: { accept: "application/json" } });
  expect(await (await get(own)).json()).toMatchObject({ state: "running", route: "/v1/**" });
  for (const path of [ofOtherRoute, ofOther])
    for (const method of ["GET", "DELETE"])
      expect(await (await get(path, method)).json()).toMatchObject({ status: 404, code: "run-unknown" });
  expect((await get("/streams/s")).status).toBe(403);
  // As for a stream, it is for one connection at a time.
  const watching = (): Promise<Response> => fetch(`${gateway.url}${own}?ticket=${ticket}`);
  const first = read(await watching());
  await first.until(({ events }) => events.length === 1);
  const second = read(await watching());
  await eventually(() => first.ended, "the end of the first connection");
  expect(second.ended).toBe(false);
  expect((await get(own, "DELETE")).status).toBe(204);
  await origin.requests[0]!.aborted;
  expect(origin.requests.map((request) => request.isAborted())).toEqual([true, false, false]);
});

test("a ticket for the runs of a program is requested by their name", async () => {
  const gateway = await serve(await startRunOrigin());
  const started = ["imports", "exports"].map((name) =>
    gateway.gateway.run({ name, owner: "key:ann" }, async function* () {
      yield { event: "progress", data: 1 };
    }),
  );
  const [imports, exports] = await Promise.all(started);
  const ticket = await askFor(gateway, "imports");
  const { got, source } = follow(`${gateway.url}/runs/${imports!.id}?ticket=${ticket}`);
  await eventually(() => isClosed(source), "the end");
  expect(got.map(({ type, data }) => [type, data as string])).toEqual([["progress", "1"]]);
  expect((await fetch(`${gateway.url}/runs/${exports!.id}?ticket=${ticket}`)).status).toBe(404);
  const ofBob = await askFor(gateway, "imports", bob.key);
  expect((await fetch(`${gateway.url}/runs/${imports!.id}?ticket=${ofBob}`)).status).toBe(404);
});
