import { createGateway, type Gateway, type GatewayConfig } from "spillway";
import { describe, expect, onTestFinished, test } from "vitest";
import { allStores } from "../../support/all-stores.ts";
import { makeKey } from "../../support/credentials.ts";
import { parseExposition } from "../../support/exposition.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";

const key = makeKey("reader", { can: ["subscribe"] });

const everything = { anonymous: ["subscribe", "publish", "admin"] } as const;

interface Opened {
  readonly gateway: Gateway;
  request(path: string, init?: RequestInit): Promise<Response>;
  publish(stream: string, ...data: string[]): Promise<Response>;
  subscribe(path: string, lastEventId?: string): Promise<Reading>;
  names(): Promise<string[]>;
}

async function open(store: string, config: GatewayConfig, change?: () => GatewayConfig): Promise<Opened> {
  const whole = (given: GatewayConfig): GatewayConfig => ({ access: everything, store, ...given });
  const gateway = await createGateway(whole(config), {
    logger: false,
    ...(change && { readConfig: () => whole(change()) }),
  });
  onTestFinished(() => gateway.close());
  const request: Opened["request"] = (path, init) => gateway.fetch(new Request(`http://x${path}`, init));
  return {
    gateway,
    request,
    publish: (stream, ...data) =>
      request(`/streams/${stream}/events`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(data.map((each) => ({ data: each }))),
      }),
    async subscribe(path, lastEventId) {
      const headers = {
        accept: "text/event-stream",
        ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
      };
      const response = await request(`/streams/${path}`, { headers });
      expect(response.status).toBe(200);
      return read(response);
    },
    async names() {
      const { streams } = (await (await request("/streams")).json()) as { streams: { name: string }[] };
      return streams.map(({ name }) => name);
    },
  };
}

describe.each(allStores)("in $name", ({ place }) => {
  test("a subscriber of a name without events gets the first event that is published to it", async () => {
    const { subscribe, publish, names } = await open(await place(), { streams: { "chat-*": {} } });
    expect(await names()).toEqual([]);
    const reading = await subscribe("chat-1");
    expect((await publish("chat-1", "first", "second")).status).toBe(200);
    await publish("chat-2", "other");
    await reading.until(() => reading.data().length === 2);
    expect(reading.data()).toEqual(["first", "second"]);
    expect((await names()).toSorted()).toEqual(["chat-1", "chat-2"]);
    const resumed = await subscribe("chat-1", reading.events.find(({ data }) => data === "first")!.id);
    await resumed.until(() => resumed.data().length === 1);
    expect(resumed.data()).toEqual(["second"]);
    await Promise.all([reading.cancel(), resumed.cancel()]);
  });

  test("a stream that nobody uses is removed, and an id of it is answered with a reset", async () => {
    const { subscribe, publish, names } = await open(await place(), {
      streams: { "chat-*": { onDemand: { idle: "1s" } } },
    });
    const ids = (await (await publish("chat-1", "before")).json()) as { ids: [string] };
    const watched = await subscribe("chat-2");
    await eventually(async () => !(await names()).includes("chat-1"), "chat-1 is removed");
    expect(await names()).toEqual(["chat-2"]);
    await publish("chat-1", "after");
    const resumed = await subscribe("chat-1", ids.ids[0]);
    expect(resumed.response.headers.get("spillway-resume")).toBe("reset");
    await resumed.until(() => resumed.controls("spillway.reset").length === 1);
    await publish("chat-2", "still here");
    await watched.until(() => watched.data().length === 1);
    await Promise.all([watched.cancel(), resumed.cancel()]);
  });
});

describe.each(allStores.filter(({ isPersistent }) => isPersistent))("in $name, over restarts", ({ place }) => {
  test("a restarted gateway finds the streams in the store, and removes them when they are idle", async () => {
    const store = await place();
    const config = { streams: { "chat-*": { onDemand: { idle: "2s" } } } };
    const first = await open(store, config);
    const { ids } = (await (await first.publish("chat-1", "a", "b")).json()) as { ids: [string, string] };
    await first.gateway.close();
    const second = await open(store, config);
    expect(await second.names()).toEqual(["chat-1"]);
    const resumed = await second.subscribe("chat-1", ids[0]);
    await resumed.until(() => resumed.data().length === 1);
    expect(resumed.data()).toEqual(["b"]);
    await resumed.cancel();
    await eventually(async () => (await second.names()).length === 0, "chat-1 is removed");
  });

  test("events that are too old are removed from a stream that nobody opens", async () => {
    const store = await place();
    const first = await open(store, { streams: { "chat-*": {} } });
    await first.publish("chat-1", "old");
    await first.gateway.close();
    const second = await open(store, { streams: { "chat-*": { retention: { age: "1s" } } } });
    const list = async (): Promise<string> => (await second.request("/streams")).text();
    await eventually(async () => /"earliest":"\w+\.2"/.test(await list()), "the event is removed");
    expect(second.gateway.status().streams).toEqual({});
  });
});

describe("who may make streams", () => {
  test("a name that is not granted, or that no pattern matches, makes no stream", async () => {
    const { request, publish, names } = await open("memory:", {
      access: {
        anonymous: { can: ["subscribe"], streams: ["chat-public-*"] },
        keys: [key.config],
      },
      streams: { "chat-*": {} },
    });
    expect((await publish("chat-public-1", "x")).status).toBe(401);
    expect((await request("/streams/chat-secret")).status).toBe(401);
    const admin = { headers: { authorization: `Bearer ${key.key}`, accept: "application/json" } };
    for (const name of ["room-1", "chat-%20", "chat-a.b", `chat-${"x".repeat(60)}`, "_nodes", "chat-%00"])
      expect((await request(`/streams/${name}`, admin)).status, name).toBe(404);
    const list = (await (await request("/streams", admin)).json()) as { streams: unknown[] };
    expect(list.streams).toEqual([]);
    expect((await request("/streams/chat-public-1", { headers: { accept: "application/json" } })).status).toBe(200);
    expect(await names()).toEqual(["chat-public-1"]);
  });

  test("beyond the number of streams, an empty one gives way, and one with events does not", async () => {
    const { publish, request, names } = await open("memory:", {
      streams: { "chat-*": { onDemand: { streams: 2 } } },
    });
    await publish("chat-1", "kept");
    expect((await request("/streams/chat-2", { headers: { accept: "application/json" } })).status).toBe(200);
    expect((await publish("chat-3", "kept")).status).toBe(200);
    expect(await names()).toEqual(["chat-1", "chat-3"]);
    const refused = await publish("chat-4", "too many");
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(((await refused.json()) as { code: string }).code).toBe("too-many-streams");
    expect((await publish("chat-1", "exists")).status).toBe(200);
  });

  test("beyond its rate, an address makes no more streams, and uses those that exist", async () => {
    const { gateway, publish, names } = await open("memory:", {
      streams: { "chat-*": { onDemand: { rate: "2/1h" } } },
      listen: "127.0.0.1:0",
    });
    const { port } = await gateway.listen();
    const url = `http://127.0.0.1:${port}/streams`;
    const statuses: number[] = [];
    for (const name of ["chat-1", "chat-2", "chat-3", "chat-1"])
      statuses.push((await fetch(`${url}/${name}`, { headers: { accept: "application/json" } })).status);
    expect(statuses).toEqual([200, 200, 429, 200]);
    expect(await names()).toEqual(["chat-1", "chat-2"]);
    await gateway.publish("chat-3", { data: "the program has no rate" });
    expect((await publish("chat-3", "exists")).status).toBe(200);
  });

  test("a rate also counts requests for one name at the same time, each for its own sender", async () => {
    const { gateway, names } = await open("memory:", {
      streams: { "chat-*": { onDemand: { rate: "1/1h" } } },
    });
    const statusOf = async (name: string, address: string): Promise<number> => {
      const init = { headers: { accept: "application/json" } };
      return (await gateway.fetch(new Request(`http://x/streams/${name}`, init), { address })).status;
    };
    expect(await statusOf("chat-1", "192.0.2.1")).toBe(200);
    const over = ["192.0.2.1", "192.0.2.1", "192.0.2.1"];
    expect(await Promise.all(over.map((address) => statusOf("chat-2", address)))).toEqual([429, 429, 429]);
    expect(await names()).toEqual(["chat-1"]);
    const both = ["192.0.2.1", "192.0.2.2"];
    expect(await Promise.all(both.map((address) => statusOf("chat-3", address)))).toEqual([429, 200]);
  });
});

describe("options", () => {
  test("a configured name comes before a pattern, and the most specific pattern before the others", async () => {
    const { gateway, publish } = await open("memory:", {
      streams: {
        "*": { retry: "1s" },
        "chat-*": { retry: "2s" },
        "chat-vip-*": { retry: "3s" },
        "chat-lobby": { retry: "4s" },
      },
    });
    for (const name of ["other", "chat-1", "chat-vip-1", "chat-lobby"]) await publish(name, "x");
    const { onDemand } = gateway.status();
    expect(Object.entries(onDemand).map(([pattern, { streams }]) => [pattern, streams])).toEqual([
      ["*", 1],
      ["chat-*", 1],
      ["chat-vip-*", 1],
    ]);
  });

  test("a reload changes the options of all streams of a pattern", async () => {
    let next: GatewayConfig = { streams: { "chat-*": { retention: { events: 2 } } } };
    const { gateway, subscribe, publish, request } = await open("memory:", { streams: { "chat-*": {} } }, () => next);
    const reading = await subscribe("chat-1");
    await publish("chat-1", "1", "2", "3", "4");
    await reading.until(() => reading.data().length === 4);
    await gateway.reload();
    await eventually(() => gateway.status().streams["chat-1"]?.events === 2, "retention is applied");
    await publish("chat-1", "5");
    await reading.until(() => reading.data().length === 5);
    next = { streams: { "chat-*": { retry: "3s" } } };
    await gateway.reload();
    await reading.until(({ ended }) => ended);
    expect(reading.controls("spillway.bye")).toHaveLength(1);
    next = { streams: { "room-*": {} } };
    await gateway.reload();
    expect((await request("/streams/chat-1")).status).toBe(404);
  });

  test("the status of a stream shows the retention of its pattern, also after a reload", async () => {
    let next: GatewayConfig = { streams: { "chat-*": { retention: { age: "1h", events: 2 } } } };
    const { gateway, publish, request } = await open("memory:", next, () => next);
    await publish("chat-1", "x");
    expect(gateway.status().streams["chat-1"]?.retention).toMatchObject({ age: 3_600_000, events: 2 });
    next = { streams: { "chat-*": { retention: { events: 3 } } } };
    await gateway.reload();
    const { streams } = (await (await request("/status")).json()) as ReturnType<Gateway["status"]>;
    expect(streams["chat-1"]?.retention).toMatchObject({ events: 3 });
  });

  test("a stream made on demand becomes a configured one by a reload, with its events", async () => {
    let next: GatewayConfig = { streams: { "chat-*": {}, "chat-1": {} } };
    const { gateway, subscribe, publish } = await open("memory:", { streams: { "chat-*": {} } }, () => next);
    const { ids } = (await (await publish("chat-1", "1", "2")).json()) as { ids: [string, string] };
    await gateway.reload();
    const reading = await subscribe("chat-1", ids[0]);
    await reading.until(() => reading.data().length === 1);
    await publish("chat-1", "3");
    await reading.until(() => reading.data().length === 2);
    next = { streams: { "chat-*": {} } };
    await gateway.reload();
    const again = await subscribe("chat-1", ids[0]);
    await again.until(() => again.data().length === 2);
    expect(again.data()).toEqual(["2", "3"]);
    await again.cancel();
  });

  test("a program publishes to, follows and counts streams that are made on demand", async () => {
    const { gateway } = await open("memory:", { streams: { "chat-*": {} } });
    expect(gateway.subscribers("chat-1")).toEqual({ total: 0, byChannel: {} });
    const chat = gateway.stream("chat-1");
    await chat.publish("message", "one");
    const seen: string[] = [];
    for await (const { data } of gateway.subscribe("chat-1", { after: "earliest", follow: false })) seen.push(data);
    expect(seen).toEqual(["one"]);
    await expect(gateway.publish("room-1", { data: "x" })).rejects.toMatchObject({ code: "stream-unknown" });
    expect(() => gateway.stream("room-1")).toThrow(expect.objectContaining({ code: "stream-unknown" }));
  });

  test("metrics have one series for each pattern, with the counts of all of its streams", async () => {
    const { gateway, publish, subscribe } = await open("memory:", {
      streams: { "chat-*": { onDemand: { idle: "1s" } } },
    });
    for (let n = 0; n < 20; n++) await publish(`chat-${n}`, "x");
    const reading = await subscribe("chat-0");
    const before = await metricsOf(gateway);
    expect(before.get("spillway_log_appended_events_total")).toBe(20);
    expect(before.get("spillway_subscribers")).toBe(1);
    await eventually(() => gateway.status().onDemand["chat-*"]?.streams === 1, "the others are removed");
    const after = await metricsOf(gateway);
    expect(after.get("spillway_log_appended_events_total")).toBe(20);
    expect(after.get("spillway_log_events")).toBe(1);
    expect(after.get("spillway_on_demand_streams")).toBe(1);
    await reading.cancel();
  });
});

/** The values of the metrics of the pattern `chat-*`, which is the only value of the label `stream`. */
async function metricsOf(gateway: Gateway): Promise<Map<string, number>> {
  const response = await gateway.fetch(new Request("http://x/metrics"));
  const found = new Map<string, number>();
  for (const [name, { samples }] of parseExposition(await response.text()))
    for (const { labels, value } of samples) {
      if (labels["stream"] === undefined) continue;
      expect(labels["stream"]).toBe("chat-*");
      found.set(name, value);
    }
  return found;
}
