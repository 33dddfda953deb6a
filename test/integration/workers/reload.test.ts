import { createHash, randomBytes } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import type { GatewayConfig } from "spillway";
import { startNumberedClient, type NumberedClient } from "../../support/numbered-client.ts";
import { startNumberedUpstream, type NumberedOptions, type NumberedUpstream } from "../../support/numbered-upstream.js";
import { eventually, type Reading } from "../../support/reader.ts";
import { startReloadable, type Reloadable } from "../../support/reloadable.ts";
import { selfSigned } from "../../support/self-signed.ts";
import { statusOf, untilEnded } from "../../support/workers.ts";

const key = `spw_${randomBytes(32).toString("base64url")}`;
const hash = `sha256:${createHash("sha256").update(key).digest("hex")}`;
const bearer = { authorization: `Bearer ${key}` };
const everything = ["subscribe", "publish", "admin"] as const;
const backoff = { min: "10ms", max: "50ms" } as const;

const cleanUps: Array<() => Promise<unknown> | void> = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function source(options: Partial<NumberedOptions> = {}): Promise<NumberedUpstream> {
  const upstream = await startNumberedUpstream(options);
  cleanUps.push(() => upstream.close());
  return upstream;
}

/** Clients that count their events, across reconnects. */
function follow(url: string, clients: number): NumberedClient[] {
  const followers = Array.from({ length: clients }, () => startNumberedClient(url));
  cleanUps.push(() => followers.forEach((client) => client.close()));
  return followers;
}

const reached = (clients: readonly NumberedClient[], last: number): Promise<void> =>
  eventually(() => clients.every((client) => client.last >= last), `everyone at ${last}`);

/** Ends the source and checks that everyone has exactly 1..M, over this many connections. */
async function expectAll(clients: readonly NumberedClient[], upstream: NumberedUpstream, connections: number) {
  upstream.control({ set: { rate: 0 } });
  const { last } = upstream.state();
  await reached(clients, last);
  const got = clients.map((client) => ({ faults: client.faults, last: client.last, connections: client.connections }));
  expect(got).toEqual(clients.map(() => ({ faults: [], last, connections })));
}

const ended = (reading: Reading): Promise<Reading> => reading.until((now) => now.ended);

/** The reasons of the received goodbyes. */
const byes = (reading: Reading): unknown[] => reading.controls("spillway.bye").map(({ reason }) => reason);

/** Asked several times, so that each worker is. */
async function statusesOf(gateway: Reloadable, path: string, headers: Record<string, string> = {}): Promise<number[]> {
  const statuses: number[] = [];
  for (let n = 0; n < 4; n++) {
    const response = await gateway.request(path, { headers: { accept: "text/event-stream", ...headers } });
    statuses.push(response.status);
    await response.body?.cancel();
  }
  return statuses;
}

const processes = [
  { name: "one process", workers: 1 },
  { name: "two workers", workers: 2 },
];

describe.each(processes)("reload of $name", ({ workers }) => {
  async function start(config: GatewayConfig): Promise<Reloadable> {
    const gateway = await startReloadable(workers, config);
    cleanUps.push(() => gateway.close());
    return gateway;
  }

  async function apply(gateway: Reloadable, change: GatewayConfig, how: "post" | "hangUp" = "post"): Promise<void> {
    await gateway.write(change);
    if (how === "hangUp") return gateway.hangUp();
    const response = await gateway.post();
    expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
  }

  test.each(["post", "hangUp"] as const)(
    "the subscribers of a removed key are disconnected, others are not affected (%s)",
    async (how) => {
      const upstream = await source({ rate: 300 });
      const streams = { numbers: { upstream: { url: upstream.url, backoff } } };
      const access = { anonymous: everything, keys: [{ name: "web", hash }] };
      const gateway = await start({ streams, access });
      const others = follow(`${gateway.url}/streams/numbers`, 6);
      await reached(others, 20);
      const mine = await Promise.all(Array.from({ length: 4 }, () => gateway.subscribe("/streams/numbers", bearer)));
      await apply(gateway, { access: { anonymous: everything } }, how);
      await Promise.all(mine.map(ended));
      expect(mine.map(byes)).toEqual(mine.map(() => ["revoked"]));
      expect(new Set(await statusesOf(gateway, "/streams/numbers", bearer))).toEqual(new Set([401]));
      await reached(others, Math.max(...others.map(({ last }) => last)) + 50);
      await expectAll(others, upstream, 1);
    },
  );

  test("if a key is granted less, only subscribers that are served more are disconnected", async () => {
    const withChannels = (channels: string[]) => ({
      anonymous: everything,
      keys: [{ name: "web", hash, channels }],
    });
    const gateway = await start({ streams: { s: {} }, access: withChannels(["a", "b"]) });
    const inA = await gateway.subscribe("/streams/s?channels=a", bearer);
    const inB = await gateway.subscribe("/streams/s?channels=b", bearer);
    const other = await gateway.subscribe("/streams/s");
    await apply(gateway, { access: withChannels(["a"]) });
    await ended(inB);
    expect(byes(inB)).toEqual(["revoked"]);
    await gateway.publish("s", [
      { data: "1", channel: "a" },
      { data: "2", channel: "b" },
    ]);
    await inA.until(({ data }) => data().length === 1);
    await other.until(({ data }) => data().length === 2);
    expect([inA.data(), inA.ended, other.ended]).toEqual([["1"], false, false]);
    expect(new Set(await statusesOf(gateway, "/streams/s?channels=b", bearer))).toEqual(new Set([403]));
  });

  test("a revoked anonymous right ends the streams of clients without a credential", async () => {
    const keys = [{ name: "web", hash, can: everything }];
    const gateway = await start({ streams: { s: {} }, access: { anonymous: everything, keys } });
    const nobody = await gateway.subscribe("/streams/s");
    const mine = await gateway.subscribe("/streams/s", bearer);
    await apply(gateway, { access: { keys } });
    await ended(nobody);
    expect(byes(nobody)).toEqual(["revoked"]);
    expect(new Set(await statusesOf(gateway, "/streams/s"))).toEqual(new Set([401]));
    const body = { method: "POST", headers: { ...bearer, "content-type": "application/json" }, body: '{"data":"1"}' };
    expect((await gateway.request("/streams/s/events", body)).status).toBe(200);
    await mine.until(({ data }) => data().length === 1);
    expect(mine.ended).toBe(false);
  });

  test("added origins and limits apply to new requests", async () => {
    const gateway = await start({ streams: { s: {} } });
    const origin = "https://app.example";
    const allowed = async (): Promise<string | null> =>
      (await gateway.request("/streams", { headers: { origin } })).headers.get("access-control-allow-origin");
    expect(await allowed()).toBeNull();
    const readings = await Promise.all([1, 2, 3].map(() => gateway.subscribe("/streams/s")));
    const access = { anonymous: everything, cors: { origins: [origin] } };
    await apply(gateway, { access, limits: { connections: 3, url: 500 } });
    for (let n = 0; n < 3; n++) expect(await allowed()).toBe(origin);
    expect(new Set(await statusesOf(gateway, "/streams/s"))).toEqual(new Set([503]));
    expect(new Set(await statusesOf(gateway, `/streams/s?x=${"x".repeat(600)}`))).toEqual(new Set([414]));
    await gateway.publish("s", { data: "1" });
    await Promise.all(readings.map((reading) => reading.until(({ data }) => data().length === 1)));
    await apply(gateway, {});
    expect(new Set(await statusesOf(gateway, "/streams/s"))).toEqual(new Set([200]));
  });

  test("an added stream is served at once; the subscribers of a removed one are informed", async () => {
    const upstream = await source({ rate: 300 });
    const numbers = { upstream: { url: upstream.url, backoff } };
    const gateway = await start({ streams: { s: {} } });
    const s = await Promise.all([1, 2, 3, 4].map(() => gateway.subscribe("/streams/s")));
    await apply(gateway, { streams: { s: {}, numbers } });
    expect(new Set(await statusesOf(gateway, "/streams/numbers"))).toEqual(new Set([200]));
    const clients = follow(`${gateway.url}/streams/numbers`, 4);
    await reached(clients, 20);
    expect(s.map(({ ended: over }) => over)).toEqual([false, false, false, false]);
    await apply(gateway, { streams: { numbers } });
    await Promise.all(s.map(ended));
    expect(s.map(byes)).toEqual(s.map(() => ["removed"]));
    expect(new Set(await statusesOf(gateway, "/streams/s"))).toEqual(new Set([404]));
    // And back: the events in its log are still there.
    await apply(gateway, { streams: { s: {}, numbers } });
    expect(new Set(await statusesOf(gateway, "/streams/s"))).toEqual(new Set([200]));
    await gateway.publish("s", { data: "1" });
    await expectAll(clients, upstream, 1);
    expect(upstream.state().maxOpen).toBe(1);
  });

  test("another upstream takes over for existing subscribers, which keep it connected", async () => {
    const [first, second] = [await source({ event: "first" }), await source({ event: "second", idEvery: 0 })];
    const from = ({ url }: NumberedUpstream): GatewayConfig => ({
      streams: { s: { upstream: { url, backoff, connect: "on-demand", linger: "50ms" } } },
    });
    const gateway = await start(from(first));
    const readings = await Promise.all([1, 2, 3, 4].map(() => gateway.subscribe("/streams/s")));
    await eventually(() => first.state().open === 1, "the connection to the first");
    first.control({ emit: 3 });
    await Promise.all(readings.map((reading) => reading.until(({ data }) => data().length === 3)));
    await apply(gateway, from(second));
    await eventually(() => first.state().open === 0 && second.state().open === 1, "the connection to the second");
    second.control({ emit: 2 });
    await Promise.all(readings.map((reading) => reading.until(({ data }) => data().length === 5)));
    for (const reading of readings) {
      const events = reading.events.filter(({ event }) => event === "first" || event === "second");
      expect(events.map(({ event }) => event)).toEqual(["first", "first", "first", "second", "second"]);
      expect(new Set(events.map(({ id }) => id!.split(".")[0])).size).toBe(1);
      const seqs = events.map(({ id }) => Number(id!.split(".")[1]));
      expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
      expect(reading.ended).toBe(false);
    }
    await Promise.all(readings.map((reading) => reading.cancel()));
    await eventually(() => second.state().open === 0, "the end of the connection");
    expect(second.state().connections).toHaveLength(1);
  });

  test("another retention is applied without effect on clients, and the source stays connected", async () => {
    const upstream = await source({ rate: 300 });
    const numbers = { upstream: { url: upstream.url, backoff } };
    const gateway = await start({ streams: { numbers } });
    const clients = follow(`${gateway.url}/streams/numbers`, 4);
    await reached(clients, 50);
    await apply(gateway, { streams: { numbers: { ...numbers, retention: { events: 10 } } } });
    const earliest = async (): Promise<number> => {
      const { streams } = (await (await gateway.request("/streams")).json()) as { streams: { earliest: string }[] };
      return Number(streams[0]!.earliest.split(".")[1]);
    };
    await eventually(async () => (await earliest()) > 1, "what is too much to go");
    await expectAll(clients, upstream, 1);
    expect(upstream.state().connections).toHaveLength(1);
  });

  test("subscribers of a stream with another heartbeat are disconnected, find it again and miss nothing", async () => {
    const upstream = await source({ rate: 300 });
    const numbers = { upstream: { url: upstream.url, backoff } };
    const gateway = await start({ streams: { numbers } });
    const clients = follow(`${gateway.url}/streams/numbers`, 6);
    const reading = await gateway.subscribe("/streams/numbers");
    await reached(clients, 30);
    await gateway.write({ streams: { numbers: { ...numbers, heartbeat: "20ms" } } });
    const applied = gateway.post();
    await ended(reading);
    expect(byes(reading)).toEqual(["removed"]);
    // An EventSource would not reconnect after any other status.
    const again = await gateway.subscribe("/streams/numbers");
    expect(again.response.status).toBe(200);
    expect((await applied).status).toBe(200);
    await eventually(() => clients.every(({ connections }) => connections === 2), "everyone's return");
    await reached(clients, Math.max(...clients.map(({ last }) => last)) + 50);
    await expectAll(clients, upstream, 2);
    await again.until(({ comments }) => comments.length > 1);
    expect(upstream.state().connections).toHaveLength(1);
  });

  test("a configuration with errors is refused with all of them and without its secrets; the old one stays", async () => {
    const upstream = await source({ rate: 300 });
    const streams = { numbers: { upstream: { url: upstream.url, backoff } } };
    const gateway = await start({ streams });
    const clients = follow(`${gateway.url}/streams/numbers`, 4);
    await reached(clients, 10);
    const secret = "hunter2-of-the-issuer-0123456789";
    const wrong: object = {
      streams: { numbers: { upstream: { url: `ftp://u:${secret}@a/` }, heartbeet: "1s" } },
      access: { anonymous: everything, jwt: { secret, issuer: 5 } },
    };
    await gateway.write(wrong);
    const response = await gateway.post();
    const problem = (await response.json()) as Record<string, string>;
    expect([response.status, problem["code"]]).toEqual([422, "config-invalid"]);
    await gateway.hangUp();
    const logged = gateway.program.output().split('"configuration refused').at(0)!;
    for (const place of ["streams.numbers.upstream.url", "streams.numbers.heartbeet", "access.jwt.issuer"]) {
      expect(problem["detail"]).toContain(place);
      expect(logged).toContain(place);
    }
    expect(JSON.stringify(problem) + gateway.program.output()).not.toContain("hunter2");
    await expectAll(clients, upstream, 1);
    await apply(gateway, { streams });
  });

  test("a change that needs a restart is named, and nothing else is applied", async () => {
    const gateway = await start({ streams: { s: {} } });
    const changes: Array<[string, object]> = [
      ["listen", { listen: 1 }],
      ["store", { store: `sqlite:${gateway.folder}/other.db` }],
      ["sqlite.synchronous", { sqlite: { synchronous: "normal" } }],
      ["workers", { workers: 3 }],
      ["tls", { tls: selfSigned() }],
    ];
    for (const [field, change] of changes) {
      await gateway.write({ ...change, streams: { s: {}, more: {} } });
      const response = await gateway.post();
      const problem: unknown = await response.json();
      expect([response.status, problem]).toEqual([422, expect.objectContaining({ code: "restart-required", field })]);
    }
    expect(new Set(await statusesOf(gateway, "/streams/more"))).toEqual(new Set([404]));
    await apply(gateway, { streams: { s: {}, more: {} } });
  });
});

test("a worker that is started after a reload uses the new configuration", async () => {
  const gateway = await startReloadable(2, { streams: { s: {} } });
  cleanUps.push(() => gateway.close());
  await gateway.write({
    streams: { s: { heartbeat: "10ms" }, more: {} },
    access: { anonymous: everything, cors: { origins: ["https://app.example"] } },
  });
  expect((await gateway.post()).status).toBe(200);
  const before = (await statusOf(gateway.url)).workers.map(({ pid }) => pid);
  for (const pid of before) process.kill(pid, "SIGKILL");
  await untilEnded(before);
  await eventually(async () => (await statusOf(gateway.url).catch(() => undefined))?.workers.length === 2, "both");
  expect(new Set(await statusesOf(gateway, "/streams/more"))).toEqual(new Set([200]));
  const reading = await gateway.subscribe("/streams/s", { origin: "https://app.example" });
  expect(reading.response.headers.get("access-control-allow-origin")).toBe("https://app.example");
  await reading.until(({ comments }) => comments.length > 2);
});

test("workers that are started while the configuration changes repeatedly serve the last one", async () => {
  const gateway = await startReloadable(2, { streams: { s: {} } });
  cleanUps.push(() => gateway.close());
  const both = async (): Promise<number[]> => {
    let pids: number[] = [];
    await eventually(async () => {
      pids = (await statusOf(gateway.url).catch(() => undefined))?.workers.map(({ pid }) => pid) ?? [];
      return pids.length === 2;
    }, "both workers");
    return pids;
  };
  for (let round = 1; round <= 5; round++) {
    process.kill((await both())[0]!, "SIGKILL");
    await gateway.write({ streams: { s: {}, [`s${round}`]: {} } });
    await gateway.hangUp();
    await statusOf(gateway.url);
  }
  expect(gateway.program.output()).not.toContain("configuration refused");
  await both();
  expect(new Set(await statusesOf(gateway, "/streams/s5"))).toEqual(new Set([200]));
  expect(new Set(await statusesOf(gateway, "/streams/s4"))).toEqual(new Set([404]));
  const deaths = gateway.program.output().split("it is replaced").length - 1;
  expect(deaths).toBe(5);
});
