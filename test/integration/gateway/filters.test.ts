import { createGateway, type Gateway, type GatewayConfig } from "spillway";
import { afterEach, describe, expect, test } from "vitest";
import { bearer, jwtSecret, makeKey, makeToken } from "../../support/credentials.ts";
import { leastDoors } from "../../support/doors.ts";
import { openGateway } from "../../support/gateways.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";

const cleanUps: Array<() => Promise<unknown> | void> = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

/** Six trades with the prices 0 to 50. Those with an odd number are in the channel `odd`, the others in `even`. */
const trades = Array.from({ length: 6 }, (_, i) => ({
  data: { price: i * 10, symbol: i < 3 ? "BTC" : "ETH" },
  event: "trade",
  channel: i % 2 === 0 ? "even" : "odd",
  id: `t${i}`,
}));

async function open(config: Partial<GatewayConfig> = {}, readConfig?: () => Partial<GatewayConfig>): Promise<Gateway> {
  const whole: GatewayConfig = {
    store: "memory:",
    streams: { s: {}, u: { ids: "upstream" } },
    access: { anonymous: ["subscribe"] },
    ...config,
  };
  const gateway = await createGateway(whole, readConfig && { readConfig: () => ({ ...whole, ...readConfig() }) });
  cleanUps.push(() => gateway.close());
  for (const stream of ["s", "u"]) await gateway.publish(stream, trades);
  return gateway;
}

type Headers = Readonly<Record<string, string>>;

/** The path of a subscription from the first event on. */
function pathOf(parameters: Readonly<Record<string, string>>, stream = "s"): string {
  return `/streams/${stream}?${new URLSearchParams({ after: "earliest", ...parameters }).toString()}`;
}

const get = (gateway: Gateway, path: string, headers: Headers = {}): Promise<Response> =>
  gateway.fetch(new Request(`http://gateway.test${path}`, { headers }));

async function follow(gateway: Gateway, path: string, headers?: Headers): Promise<Reading> {
  const response = await get(gateway, path, headers);
  expect(response.status).toBe(200);
  const reading = read(response);
  cleanUps.push(() => reading.cancel().catch(() => undefined));
  return reading.until(({ events }) => events.length > 0);
}

interface Page {
  readonly events: readonly { readonly data: string }[];
  readonly next: string;
}

async function poll(gateway: Gateway, parameters: Record<string, string>, headers?: Headers): Promise<Page> {
  const response = await get(gateway, pathOf(parameters), { accept: "application/json", ...headers });
  expect(response.status).toBe(200);
  return (await response.json()) as Page;
}

const pricesOf = (data: readonly string[]): number[] =>
  data.map((text) => (JSON.parse(text) as { readonly price: number }).price);

async function pricesFor(gateway: Gateway, parameters: Record<string, string>, headers?: Headers): Promise<number[]> {
  return pricesOf((await poll(gateway, parameters, headers)).events.map(({ data }) => data));
}

/** The status and the body of a refused subscription. */
async function refusal(gateway: Gateway, filter: string, headers?: Headers): Promise<Record<string, unknown>> {
  const response = await get(gateway, pathOf({ filter }), headers);
  return { ...((await response.json()) as object), retry: response.headers.get("retry-after") };
}

test.each(leastDoors)("a subscriber gets the events that match, replayed and live ($name)", async (kind) => {
  const { gateway, door, close } = await openGateway("memory", kind, { streams: { s: {} } });
  cleanUps.push(close);
  await gateway.publish("s", trades);
  const path = pathOf({ filter: 'data.price > 20 && event == "trade"' });
  const lines = (await door.request(path, { headers: { accept: "application/x-ndjson" } })).body!.getReader();
  let text = "";
  while (!text.includes('"t5"')) text += Buffer.from((await lines.read()).value!).toString();
  expect(text.match(/\\"price\\":\d+/g)).toEqual(['\\"price\\":30', '\\"price\\":40', '\\"price\\":50']);
  await lines.cancel();
  const reading = read(await door.request(path));
  await reading.until(() => reading.data().length === 3);
  await gateway.publish("s", [
    { data: { price: 1 }, event: "trade" },
    { data: { price: 99 }, event: "trade" },
  ]);
  await reading.until(() => reading.data().length === 4);
  expect(pricesOf(reading.data())).toEqual([30, 40, 50, 99]);
  await reading.cancel();
});

test("names and expressions must both match, in every form of subscription", async () => {
  const gateway = await open();
  const filter = 'data.symbol == "BTC"';
  expect(await pricesFor(gateway, { filter, channels: "even" })).toEqual([0, 20]);
  expect(await pricesFor(gateway, { filter, events: "trade" })).toEqual([0, 10, 20]);
  expect(await pricesFor(gateway, { filter: 'channel == "odd" && id != "t1"' })).toEqual([30, 50]);
  const last = await get(gateway, `/streams/s?last=2&filter=${encodeURIComponent(filter)}`, {
    accept: "application/json",
  });
  expect(pricesOf(((await last.json()) as Page).events.map(({ data }) => data))).toEqual([10, 20]);
  const received: string[] = [];
  for await (const { data } of gateway.subscribe("s", { after: "earliest", filter, channels: ["even"] })) {
    if (received.push(data) === 2) break;
  }
  expect(pricesOf(received)).toEqual([0, 20]);
});

test("a waiting long poll is answered with the first event that matches", async () => {
  const gateway = await open();
  const waiting = poll(gateway, { filter: "data.price == 77", wait: "50" });
  await eventually(() => gateway.status().streams["s"]!.filters === 1);
  await gateway.publish("s", [{ data: { price: 1 } }, { data: { price: 77 } }]);
  expect(pricesOf((await waiting).events.map(({ data }) => data))).toEqual([77]);
});

test("a subscriber resumes after the events that did not match", async () => {
  const gateway = await open({ streams: { s: { heartbeat: "100ms" }, u: {} } });
  const filter = "data.price > 1000";
  const reading = await follow(gateway, pathOf({ filter }));
  await reading.until(() => reading.controls("spillway.heartbeat").length > 0);
  const checkpoint = reading.events.at(-1)!.id!;
  await gateway.publish("s", { data: { price: 2000 } });
  const resumed = await follow(gateway, `/streams/s?filter=${encodeURIComponent(filter)}`, {
    "last-event-id": checkpoint,
  });
  expect(resumed.response.headers.get("spillway-resume")).toBe("resumed");
  await resumed.until(() => resumed.data().length === 1);
  expect(checkpoint).toMatch(/\.6$/);
});

test("a slow search of the events in memory reaches the head", async () => {
  const gateway = await open();
  await gateway.publish(
    "s",
    Array.from({ length: 3000 }, (_, i) => ({ data: { price: 100 + i } })),
  );
  const reading = await follow(gateway, pathOf({ filter: "data.price == 3099 || data.price == 0" }));
  await reading.until(() => reading.data().length === 2);
  expect(pricesOf(reading.data())).toEqual([0, 3099]);
});

test("an event without the field, or without JSON, does not match, and is counted", async () => {
  const gateway = await open();
  await gateway.publish("s", [{ data: "no json" }, { data: {} }, { data: { price: 60 } }]);
  expect(await pricesFor(gateway, { filter: "data.price >= 50" })).toEqual([50, 60]);
  expect(gateway.status().streams["s"]!.filterErrors).toBe(2);
});

test("a gap and the end of the response reach a subscriber whatever its filter is", async () => {
  const gateway = await open({ streams: { s: { retention: { events: 2 } }, u: {} } });
  const [first] = await gateway.publish("s", trades);
  await gateway.publish("s", trades);
  const response = await get(gateway, pathOf({ filter: "false" }), { "last-event-id": first! });
  const reading = await read(response).until(({ events }) => events.some(({ event }) => event === "spillway.gap"));
  const closed = gateway.close();
  await reading.until(({ events }) => events.at(-1)?.event === "spillway.bye");
  await closed;
  expect(reading.data()).toEqual([]);
});

describe("an invalid expression is refused", () => {
  test.each([
    ["channel > 5", 0, "no such overload: string > int"],
    ["true && prices > 5", 8, "unknown variable prices"],
    ["", 0, "Unexpected token"],
    ['channel.matches("(a+)+$")', 0, "matches() is not supported"],
    [`channel == "${"x".repeat(2000)}"`, 1024, "at most 1024 bytes"],
    ["(".repeat(1000), 32, "maxDepth"],
  ])("%.40s", async (filter, position, detail) => {
    const gateway = await open();
    const body = await refusal(gateway, filter);
    expect(body).toMatchObject({ status: 400, code: "filter-invalid", field: "filter", position });
    expect(body["detail"]).toContain(detail);
    expect(gateway.status().streams["s"]).toMatchObject({ filters: 0, subscribers: 0 });
  });

  test("in the library, a second one in a request, and one in a ticket", async () => {
    const web = makeKey("web", { can: ["subscribe"] });
    const gateway = await open({ access: { anonymous: ["subscribe"], keys: [web.config] } });
    const iterator = gateway.subscribe("s", { filter: "1" })[Symbol.asyncIterator]();
    await expect(iterator.next()).rejects.toMatchObject({ code: "filter-invalid", position: 0 });
    expect(await (await get(gateway, "/streams/s?filter=true&filter=true")).json()).toMatchObject({
      code: "request-invalid",
      field: "filter",
    });
    const body = JSON.stringify({ stream: "s", filter: "data.price >" });
    const request = { method: "POST", body, headers: { ...bearer(web.key), "content-type": "application/json" } };
    const response = await gateway.fetch(new Request("http://gateway.test/tickets", request));
    expect([response.status, await response.json()]).toMatchObject([400, { code: "filter-invalid", position: 12 }]);
  });
});

describe("the number of different expressions is limited", () => {
  test("equal ones share a place, which is free again once the last of them is gone", async () => {
    const gateway = await open({ limits: { filters: 1 } });
    const first = await follow(gateway, pathOf({ filter: "data.price > 10" }));
    const second = await follow(gateway, pathOf({ filter: " (data.price)>10 " }));
    expect(gateway.status().streams["s"]!.filters).toBe(1);
    expect(await refusal(gateway, "data.price > 11")).toMatchObject({
      status: 503,
      code: "too-many-filters",
      retry: expect.stringMatching(/^\d+$/) as string,
    });
    await Promise.all([first.cancel(), second.cancel()]);
    await eventually(() => gateway.status().streams["s"]!.filters === 0);
    expect(await pricesFor(gateway, { filter: "data.price > 40" })).toEqual([50]);
    expect(gateway.status().streams["s"]!.filters).toBe(0);
  });

  test("one client gets half of the places, and none of those of grants", async () => {
    const [a, b] = [makeKey("a", {}), makeKey("b", {})];
    const limited = makeKey("limited", { filter: "data.price < 20" });
    const keys = [a, b, limited].map(({ config }) => config);
    const gateway = await open({ limits: { filters: 2 }, access: { keys } });
    await follow(gateway, pathOf({ filter: "data.price > 1" }), bearer(a.key));
    expect(await refusal(gateway, "data.price > 2", bearer(a.key))).toMatchObject({ code: "too-many-filters" });
    await follow(gateway, pathOf({ filter: "data.price > 3" }), bearer(b.key));
    expect(await refusal(gateway, "data.price > 4", bearer(limited.key))).toMatchObject({ code: "too-many-filters" });
    expect(await pricesFor(gateway, {}, bearer(limited.key))).toEqual([0, 10]);
  });
});

describe("a grant's filter is enforced", () => {
  const filter = 'data.symbol == "BTC"';
  const key = makeKey("btc", { can: ["subscribe"], filter });
  const access: GatewayConfig["access"] = {
    keys: [key.config],
    jwt: { secret: jwtSecret },
    authorize: ({ request }) => {
      const given = request.header("x-filter");
      return given === undefined ? undefined : { filter: given };
    },
  };

  test.each([
    ["a key", bearer(key.key)],
    ["a token", bearer(makeToken({ sub: "a", spillway: { filter } }))],
    ["an authorize function", { "x-filter": filter }],
  ])("of %s", async (_, headers) => {
    const gateway = await open({ access });
    expect(await pricesFor(gateway, {}, headers)).toEqual([0, 10, 20]);
    expect(await pricesFor(gateway, { filter: "data.price > 0" }, headers)).toEqual([10, 20]);
    expect(await pricesFor(gateway, { filter: "data.price > 0 || true" }, headers)).toEqual([0, 10, 20]);
    const last = await get(gateway, "/streams/s?last=1", { accept: "application/json", ...headers });
    expect(((await last.json()) as Page).events).toMatchObject([{ data: JSON.stringify(trades[2]!.data) }]);
    const reading = await follow(gateway, pathOf({ filter: "data.price > 10" }), headers);
    await gateway.publish("s", [{ data: { price: 70, symbol: "ETH" } }, { data: { price: 80, symbol: "BTC" } }]);
    await reading.until(() => reading.data().length === 2);
    expect(pricesOf(reading.data())).toEqual([20, 80]);
  });

  test("the id of an event that does not match is unknown, as if there were no such event", async () => {
    const gateway = await open({ access });
    const outcomeOf = async (id: string): Promise<string | null> =>
      (await get(gateway, `/streams/u?on-gap=fail&after=${id}`, bearer(key.key))).headers.get("spillway-resume");
    expect([await outcomeOf("t1"), await outcomeOf("t4"), await outcomeOf("none")]).toEqual(["resumed", "gap", "gap"]);
  });

  test("a ticket has the filter of its holder, and one of its own", async () => {
    const gateway = await open({ access });
    const ticketFor = async (body: object): Promise<string> => {
      const headers = { ...bearer(key.key), "content-type": "application/json" };
      const request = new Request("http://gateway.test/tickets", {
        method: "POST",
        body: JSON.stringify(body),
        headers,
      });
      return ((await (await gateway.fetch(request)).json()) as { readonly ticket: string }).ticket;
    };
    expect(await pricesFor(gateway, { ticket: await ticketFor({ stream: "s" }) })).toEqual([0, 10, 20]);
    const ticket = await ticketFor({ stream: "s", filter: "data.price != 10" });
    expect(await pricesFor(gateway, { ticket })).toEqual([0, 20]);
    expect(await pricesFor(gateway, { ticket, filter: "data.price > 0" })).toEqual([20]);
    const status = await get(gateway, `/api/status?ticket=${ticket}`);
    expect(JSON.stringify(await status.json())).not.toContain("t5");
  });

  test("a token whose filter cannot be enforced is refused", async () => {
    const gateway = await open({ access });
    const claim = (spillway: object): Headers => bearer(makeToken({ sub: "a", spillway }));
    expect(await refusal(gateway, "true", claim({ filter: "data.price >" }))).toMatchObject({
      status: 403,
      code: "grant-invalid",
    });
    expect(await refusal(gateway, "true", claim({ filter: ["true"] }))).toMatchObject({ code: "access-denied" });
  });

  test.each([
    ["access.keys[0].filter", { keys: [makeKey("k", { filter: "data.price >" }).config] }],
    ["access.anonymous.filter", { anonymous: { can: ["subscribe"] as const, filter: "price > 1" } }],
  ])("a configuration with an invalid filter is refused: %s", async (field, given) => {
    await expect(createGateway({ store: "memory:", streams: { s: {} }, access: given })).rejects.toMatchObject({
      code: "config-invalid",
      field,
      position: expect.any(Number) as number,
    });
  });

  test("a reload that changes the filter ends the subscription, and an invalid one changes nothing", async () => {
    let changed = key.config;
    const gateway = await open({ access }, () => ({ access: { ...access, keys: [changed] } }));
    const reading = await follow(gateway, pathOf({}), bearer(key.key));
    changed = { ...key.config, filter: "data.price >" };
    await expect(gateway.reload()).rejects.toMatchObject({ code: "config-invalid" });
    await gateway.reload().catch(() => undefined);
    expect(reading.controls("spillway.bye")).toEqual([]);
    changed = { ...key.config, filter: "data.price > 30" };
    await gateway.reload();
    await reading.until(() => reading.controls("spillway.bye").length === 1);
    expect(reading.controls("spillway.bye")).toMatchObject([{ reason: "revoked" }]);
    expect(await pricesFor(gateway, {}, bearer(key.key))).toEqual([40, 50]);
  });
});
