import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { GatewayConfig, LimitsConfig } from "spillway";
import { doors, type Door } from "../../support/doors.ts";
import { openGateway, openWorkers, type Opened } from "../../support/gateways.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";
import type { WorkersStatus } from "../../support/workers.ts";

/** Two keys and their configuration. */
const [anna, ben] = ["anna", "ben"].map((name) => {
  const key = `spw_${randomBytes(32).toString("base64url")}`;
  return { name, key, hash: `sha256:${createHash("sha256").update(key).digest("hex")}` };
}) as [KeyOfTest, KeyOfTest];

interface KeyOfTest {
  readonly name: string;
  readonly key: string;
  readonly hash: string;
}

const everything = ["subscribe", "publish", "admin"] as const;

const config = (limits: LimitsConfig): Omit<GatewayConfig, "store"> => ({
  streams: { s: {} },
  trustProxy: ["127.0.0.1"],
  access: {
    anonymous: everything,
    keys: [anna, ben].map(({ name, hash }) => ({ name, hash, can: everything })),
  },
  limits,
});

const cleanUps: Array<() => Promise<unknown> | void> = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function open(door: (typeof doors)[number], limits: LimitsConfig): Promise<Opened> {
  const opened = await openGateway("memory", door, config(limits));
  cleanUps.push(opened.close);
  return opened;
}

interface From {
  readonly key?: KeyOfTest;
  readonly address?: string;
}

function headersOf({ key, address }: From): Record<string, string> {
  return {
    accept: "text/event-stream",
    ...(key && { authorization: `Bearer ${key.key}` }),
    ...(address && { "x-forwarded-for": address }),
  };
}

async function subscribe(door: Door, from: From = {}, query = ""): Promise<Reading> {
  const response = await door.request(`/streams/s${query}`, { headers: headersOf(from) });
  expect(response.status).toBe(200);
  const reading = read(response);
  cleanUps.push(() => reading.cancel().catch(() => undefined));
  return reading.until(({ events }) => events.some(({ event }) => event === "connected"));
}

const publish = (door: Door, from: From = {}): Promise<Response> =>
  door.request("/streams/s/events", {
    method: "POST",
    headers: { ...headersOf(from), "content-type": "application/json" },
    body: '{"data":"x"}',
  });

const poll = (door: Door, wait: number): Promise<Response> =>
  door.request(`/streams/s?wait=${wait}`, { headers: { accept: "application/json" } });

/** Checks that the response is this refusal, with `Retry-After`. */
async function expectRefusal(
  answer: Response | Promise<Response>,
  status: number,
  code: string,
  [least, most]: [number, number],
): Promise<void> {
  const response = await answer;
  expect(await response.json()).toMatchObject({ status, code });
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const retryAfter = response.headers.get("retry-after");
  expect(retryAfter).toMatch(/^\d+$/);
  expect(Number(retryAfter)).toBeGreaterThanOrEqual(least);
  expect(Number(retryAfter)).toBeLessThanOrEqual(most);
}

const attempt = (door: Door, from: From = {}, query = ""): Promise<Response> =>
  door.request(`/streams/s${query}`, { headers: headersOf(from) });

describe.each(doors)("through $name", (kind) => {
  test("beyond limits.connections a subscription is refused, and accepted when another has ended", async () => {
    const { door } = await open(kind, { connections: 2 });
    const readings = [await subscribe(door), await subscribe(door)];
    await expectRefusal(attempt(door), 503, "at-capacity", [10, 20]);
    await expectRefusal(poll(door, 10), 503, "at-capacity", [10, 20]);
    await readings[0]!.cancel();
    await eventually(async () => {
      const response = await attempt(door);
      const { status } = response;
      await response.body?.cancel();
      return status === 200;
    }, "a place for the next");
  });

  test("a gateway at capacity still answers its health endpoints and accepts published events", async () => {
    const { door } = await open(kind, { connections: 1 });
    const reading = await subscribe(door);
    await expectRefusal(attempt(door), 503, "at-capacity", [10, 20]);
    for (const path of ["/healthz", "/readyz", "/status"]) expect((await door.request(path)).status).toBe(200);
    expect((await publish(door)).status).toBe(200);
    await reading.until((got) => got.data().length === 1);
  });

  test("a held long poll counts as a connection until it is answered", async () => {
    const { door } = await open(kind, { connections: 1 });
    const polling = poll(door, 50);
    await eventually(async () => {
      const response = await poll(door, 0);
      await response.text();
      return response.status === 503;
    }, "the place being taken");
    await publish(door);
    expect((await polling).status).toBe(200);
    await subscribe(door);
  });

  test("failed requests and HEAD requests leave no connection counted", async () => {
    const { door } = await open(kind, { connections: 1 });
    const stale = { ...headersOf({}), "last-event-id": "other.7" };
    for (let times = 0; times < 3; times++) {
      expect((await door.request("/streams/s?on-gap=fail", { headers: stale })).status).toBe(410);
      expect((await door.request("/streams/s?limit=0", { headers: { accept: "application/json" } })).status).toBe(400);
      expect((await door.request("/streams/s", { method: "HEAD", headers: headersOf({}) })).status).toBe(200);
    }
    await subscribe(door);
  });

  test("one key has its own share of connections, independent of others", async () => {
    const { door } = await open(kind, { perSubject: 1 });
    await subscribe(door, { key: anna });
    await expectRefusal(attempt(door, { key: anna }), 429, "too-many-connections", [10, 20]);
    await subscribe(door, { key: ben });
    for (let times = 0; times < 3; times++) await subscribe(door);
  });

  test("one key cannot connect faster than its rate, even if it disconnects in between", async () => {
    const { door } = await open(kind, { connectRate: "2/1h" });
    for (const address of ["192.0.2.1", "192.0.2.2"]) await (await subscribe(door, { key: anna, address })).cancel();
    await expectRefusal(attempt(door, { key: anna, address: "192.0.2.3" }), 429, "rate-limited", [3500, 3660]);
    await subscribe(door, { key: ben, address: "192.0.2.3" });
  });

  test("one key cannot publish faster than its rate, and refused events are not stored", async () => {
    const { door } = await open(kind, { publishRate: "2/1h" });
    const reading = await subscribe(door);
    for (let times = 0; times < 2; times++) expect((await publish(door, { key: anna })).status).toBe(200);
    await expectRefusal(publish(door, { key: anna }), 429, "rate-limited", [3500, 3660]);
    expect((await publish(door, { key: ben })).status).toBe(200);
    await reading.until((got) => got.data().length === 3);
  });

  test("a process above its memory limit accepts no subscriptions, but publishing and health continue", async () => {
    const { door } = await open(kind, { memory: "1MiB" });
    await expectRefusal(attempt(door), 503, "overloaded", [5, 10]);
    await expectRefusal(poll(door, 0), 503, "overloaded", [5, 10]);
    expect((await publish(door)).status).toBe(200);
    expect((await door.request("/healthz")).status).toBe(200);
  });

  test("refusals are counted by their code", async () => {
    const { door } = await open(kind, { perSubject: 1 });
    await subscribe(door, { key: anna });
    for (let times = 0; times < 3; times++) await (await attempt(door, { key: anna })).text();
    const metrics = await (await door.request("/metrics")).text();
    expect(metrics).toContain('spillway_requests_refused_total{code="too-many-connections"} 3');
    expect(metrics).toContain('spillway_requests_refused_total{code="at-capacity"} 0');
  });
});

// A fetch request has no address.
describe.each(doors.filter(({ name }) => name !== "fetch"))("by address, through $name", (kind) => {
  test("one address has its share of connections, whoever uses it", async () => {
    const { door } = await open(kind, { perAddress: 2 });
    await subscribe(door, { address: "192.0.2.1" });
    await subscribe(door, { address: "192.0.2.1", key: anna });
    for (const from of [{}, { key: ben }]) {
      await expectRefusal(attempt(door, { ...from, address: "192.0.2.1" }), 429, "too-many-connections", [10, 20]);
    }
    await subscribe(door, { address: "192.0.2.2" });
  });

  test("one address cannot connect faster than its rate, whoever uses it", async () => {
    const { door } = await open(kind, { connectRate: "2/1h" });
    for (const from of [{}, { key: anna }]) await subscribe(door, { ...from, address: "192.0.2.1" });
    await expectRefusal(attempt(door, { key: ben, address: "192.0.2.1" }), 429, "rate-limited", [3500, 3660]);
    await subscribe(door, { key: ben, address: "192.0.2.2" });
  });

  test("an IPv6 /64 network counts as one address", async () => {
    const { door } = await open(kind, { perAddress: 1 });
    await subscribe(door, { address: "2001:db8:1:1::1" });
    await expectRefusal(attempt(door, { address: "2001:db8:1:1:9::9" }), 429, "too-many-connections", [10, 20]);
    await subscribe(door, { address: "2001:db8:1:2::1" });
  });

  test("anonymous clients can publish at the rate of their address", async () => {
    const { door } = await open(kind, { publishRate: "1/1h" });
    expect((await publish(door, { address: "192.0.2.1" })).status).toBe(200);
    await expectRefusal(publish(door, { address: "192.0.2.1" }), 429, "rate-limited", [3500, 3660]);
    expect((await publish(door, { address: "192.0.2.2" })).status).toBe(200);
  });
});

describe("replays", () => {
  const own = doors.find(({ name }) => name === "its own server")!;

  /** A gateway whose only replay slot is used by a client that does not read. */
  async function openBusy(limits: LimitsConfig): Promise<{ door: Door; leave: () => void }> {
    const { gateway, door } = await open(own, { replays: 1, outbox: "64KiB", ...limits });
    const data = "x".repeat(500_000);
    for (let count = 0; count < 30; count++) await gateway.publish("s", { data });
    const { port } = await gateway.listen();
    const socket: Socket = connect(port, "127.0.0.1").on("error", () => {});
    cleanUps.push(() => void socket.destroy());
    socket.write("GET /streams/s?after=earliest HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
    await new Promise((resolve) => socket.once("readable", resolve));
    return { door, leave: () => void socket.destroy() };
  }

  test("a replay without a free slot waits, and starts when there is one", async () => {
    const { door, leave } = await openBusy({ replayWait: "10m" });
    let waits = true;
    const waiting = subscribe(door, {}, "?last=1").finally(() => (waits = false));
    // Who needs no replay does not wait for one.
    await subscribe(door);
    expect(waits).toBe(true);
    leave();
    await (await waiting).until((got) => got.data().length === 1);
  });

  test("a replay that has waited too long is refused", async () => {
    const { door } = await openBusy({ replayWait: "20ms" });
    await expectRefusal(attempt(door, {}, "?last=1"), 503, "replay-busy", [5, 10]);
  });

  test("when as many replays wait as there are slots, the next is refused until a waiting one leaves", async () => {
    const { door } = await openBusy({ replayWait: "10m" });
    const waiting = [new AbortController(), new AbortController()];
    const answers = waiting.map(({ signal }) =>
      door.request("/streams/s?last=1", { signal }).then(
        (response) => response.status,
        () => "gone",
      ),
    );
    // One of the two waits, the other one is told.
    expect(await Promise.race(answers)).toBe(503);
    for (const controller of waiting) controller.abort();
    await Promise.all(answers);
    const next = new AbortController();
    cleanUps.push(() => next.abort());
    let settled: number | undefined;
    await eventually(async () => {
      settled = undefined;
      const asking = door.request("/streams/s?last=1", { signal: next.signal }).then(
        ({ status }) => (settled = status),
        () => 0,
      );
      await Promise.race([asking, door.request("/healthz")]);
      return settled === undefined;
    }, "a place in the queue");
  });
});

test("connections are counted over all workers, and those of a worker that dies are released", async () => {
  const { gateway, door, close } = await openWorkers(config({ connections: 4 }));
  cleanUps.push(close);
  for (let times = 0; times < 4; times++) await subscribe(door);
  for (let times = 0; times < 4; times++) await expectRefusal(attempt(door), 503, "at-capacity", [10, 20]);
  const { workers } = (await gateway.status()) as WorkersStatus;
  const [busiest] = workers.toSorted((a, b) => b.subscribers - a.subscribers);
  process.kill(busiest!.pid, "SIGKILL");
  await eventually(async () => {
    const response = await attempt(door).catch(() => undefined);
    await response?.body?.cancel();
    return response?.status === 200;
  }, "a place for the next");
});

test("rates are counted over all workers", async () => {
  const { door, close } = await openWorkers(config({ connectRate: "2/1h", publishRate: "2/1h" }));
  cleanUps.push(close);
  for (let times = 0; times < 2; times++) await subscribe(door);
  for (let times = 0; times < 2; times++) expect((await publish(door)).status).toBe(200);
  for (let times = 0; times < 4; times++) {
    await expectRefusal(attempt(door), 429, "rate-limited", [3500, 3660]);
    await expectRefusal(publish(door), 429, "rate-limited", [3500, 3660]);
  }
});
