import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { AccessConfig, GatewayConfig } from "spillway";
import { bearer, jwtSecret, makeKey, makeToken, secondsFromNow } from "../../support/credentials.ts";
import { parseExposition, valueOf } from "../../support/exposition.ts";
import { openWorkers, type Opened, type RemoteGateway } from "../../support/gateways.ts";
import { makeTicket } from "../../support/probe.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { startReloadable } from "../../support/reloadable.ts";
import type { WorkersStatus } from "../../support/workers.ts";

const web = makeKey("web", { can: ["subscribe"], channels: ["news"] });
const other = makeKey("other", { can: ["subscribe"] });
const access: AccessConfig = {
  // For the status requests of the tests.
  anonymous: ["publish", "admin"],
  keys: [web.config, other.config],
  jwt: { secret: jwtSecret, clockTolerance: "0s" },
  cookie: "session",
};
const forS = '{"stream":"s"}';

let opened: Opened<RemoteGateway>;
const readings: Reading[] = [];

async function open(config: Partial<GatewayConfig> = {}): Promise<void> {
  opened = await openWorkers({ streams: { s: {}, t: {} }, access, ...config });
}

const ask = (path: string, init: object = {}): Promise<Response> => opened.door.request(path, init);

async function follow(headers: Readonly<Record<string, string>>, path = "/streams/s"): Promise<Reading> {
  const response = await ask(path, { headers });
  expect(response.status).toBe(200);
  const reading = read(response);
  readings.push(reading);
  return reading.until(({ events }) => events.length > 0);
}

/** One after the other, as connections go to the workers in turn. */
async function followAll(count: number, headers: Readonly<Record<string, string>>, path?: string): Promise<Reading[]> {
  const all: Reading[] = [];
  for (let n = 0; n < count; n++) all.push(await follow(headers, path));
  return all;
}

const status = async (): Promise<WorkersStatus> => (await opened.gateway.status()) as WorkersStatus;

async function expectBye(all: readonly Reading[], reason: string): Promise<void> {
  for (const reading of all) {
    await eventually(() => reading.ended, "the end of the response");
    expect(reading.controls("spillway.bye")).toMatchObject([{ reason }]);
  }
}

async function leave(): Promise<void> {
  await Promise.all(readings.splice(0).map((reading) => reading.cancel().catch(() => undefined)));
  await eventually(async () => (await status()).streams["s"]!.subscribers === 0, "that all have gone");
}

describe("two workers", () => {
  beforeAll(() => open());
  afterEach(leave);
  afterAll(() => opened.close());

  const session = (token: string): Record<string, string> => ({ cookie: `session=${token}` });
  const token = makeToken({ sub: "ada", exp: secondsFromNow(3600), spillway: { channels: ["news"] } });
  test.each([
    { title: "a key", shown: async () => bearer(web.key) },
    { title: "a key in X-API-Key", shown: async () => ({ "x-api-key": web.key }) },
    { title: "a token", shown: async () => bearer(token) },
    { title: "a cookie", shown: async () => session(token) },
  ])("accept $title with the same grant, whichever is asked", async ({ shown }) => {
    const all: Reading[] = [];
    await eventually(async () => {
      all.push(await follow(await shown()));
      return (await status()).workers.every(({ subscribers }) => subscribers > 0);
    }, "a subscriber at each worker");
    await opened.gateway.publish("s", [{ data: "hidden" }, { data: "1", channel: "news" }]);
    for (const reading of all) await reading.until(() => reading.data().length > 0);
    expect(all.map((reading) => reading.data())).toEqual(all.map(() => ["1"]));
  });

  test.each([
    { title: "nothing", headers: {}, query: "", code: "credential-required" },
    { title: "an unknown key", headers: bearer(makeKey("x", {}).key), query: "", code: "credential-invalid" },
    { title: "an expired token", headers: bearer(makeToken({ exp: 1 })), query: "", code: "credential-expired" },
    { title: "a forged ticket", headers: {}, query: "?ticket=spt_x", code: "ticket-invalid" },
  ])("refuse $title, whichever is asked", async ({ headers, query, code }) => {
    for (let n = 0; n < 4; n++) {
      const response = await ask(`/streams/s${query}`, { headers });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ code });
    }
  });

  test("accept each other's tickets repeatedly, for one connection at a time", async () => {
    const path = `/streams/s?ticket=${await makeTicket(opened.door, forS, web.key)}`;
    const all = await followAll(6, {}, path);
    await expectBye(all.slice(0, 5), "replaced");
    // What opens no connection ends none.
    for (let n = 0; n < 4; n++) expect((await ask(path, { method: "HEAD" })).status).toBe(200);
    await opened.gateway.publish("s", [{ data: "hidden" }, { data: "1", channel: "news" }]);
    await all[5]!.until(() => all[5]!.data().length === 1);
    expect(all[5]!.data()).toEqual(["1"]);
    expect((await status()).streams["s"]!.subscribers).toBe(1);
  });

  test("keep one of many simultaneous connections with the same ticket", async () => {
    const path = `/streams/s?ticket=${await makeTicket(opened.door, forS, web.key)}`;
    for (let times = 0; times < 5; times++) {
      const crowd = await Promise.all(Array.from({ length: 8 }, () => follow({}, path)));
      await eventually(() => crowd.filter(({ ended }) => ended).length === 7, "the end of all but one");
      await opened.gateway.publish("s", { data: String(times), channel: "news" });
      const left = crowd.find((reading) => !reading.ended)!;
      await left.until(() => left.data().length === 1);
    }
    expect((await status()).streams["s"]!.subscribers).toBe(1);
  });

  test("end a token's connections when it expires, and its ticket's", async () => {
    const ending = makeToken({ sub: "ada", exp: secondsFromNow(4), spillway: {} });
    const path = `/streams/s?ticket=${await makeTicket(opened.door, forS, ending)}`;
    const all = [...(await followAll(4, bearer(ending))), await follow({}, path)];
    await expectBye(all, "token-expired");
    for (let n = 0; n < 2; n++) {
      expect((await ask("/streams/s", { headers: bearer(ending) })).status).toBe(401);
      expect((await ask(path)).status).toBe(401);
    }
  });

  test("end and count a subject's subscriptions, whichever is asked", async () => {
    const ended = async (query: string): Promise<unknown> =>
      (await ask(`/admin/subscribers?subject=key:web${query}`, { method: "DELETE" })).json();
    const others = await followAll(2, bearer(other.key));
    for (let times = 0; times < 3; times++) {
      const [mine, onT] = [await followAll(4, bearer(web.key)), await followAll(2, bearer(web.key), "/streams/t")];
      expect(await ended("&stream=t")).toEqual({ ended: 2 });
      await expectBye(onT, "revoked");
      expect(await ended("")).toEqual({ ended: 4 });
      await expectBye(mine, "revoked");
      expect(await ended("")).toEqual({ ended: 0 });
    }
    await opened.gateway.publish("s", { data: "1" });
    for (const reading of others) await reading.until(() => reading.data().length === 1);
  });

  test("list and reach all clients, whichever is asked", async () => {
    const all = await followAll(6, bearer(web.key));
    const ids = all.map((reading) => reading.controls("connected")[0]!["client"] as string);
    const init = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"event":"notice","data":1}',
    };
    for (let times = 0; times < 3; times++) {
      const listed: string[] = [];
      for (let after: string | null = ""; after !== null;) {
        const response = await ask(`/admin/subscribers?stream=s&limit=2&after=${encodeURIComponent(after)}`);
        const page = (await response.json()) as { subscribers: Array<{ client: string }>; next: string | null };
        listed.push(...page.subscribers.map(({ client }) => client));
        after = page.next;
      }
      expect(listed.toSorted()).toEqual(ids.toSorted());
      for (const id of ids) {
        const response = await ask(`/admin/subscribers/${id}/events`, init);
        expect(await response.json()).toEqual({ delivered: true });
      }
      expect((await ask(`/admin/subscribers/${"A".repeat(22)}/events`, init)).status).toBe(404);
    }
    for (const reading of all) {
      await reading.until(() => reading.data().length === 3);
      expect(reading.events.slice(1)).toMatchObject([1, 2, 3].map(() => ({ event: "notice", data: "1" })));
    }
  });

  test("add up what they serve and refuse", async () => {
    const metrics = async (): Promise<ReturnType<typeof parseExposition>> =>
      parseExposition(await (await ask("/metrics")).text());
    const refused = async (): Promise<number> =>
      valueOf(await metrics(), "spillway_requests_refused_total", { code: "access-denied" })!;
    const before = await refused();
    await followAll(5, bearer(web.key));
    for (let n = 0; n < 5; n++) expect((await ask("/status", { headers: bearer(web.key) })).status).toBe(403);
    for (let n = 0; n < 2; n++) {
      expect(valueOf(await metrics(), "spillway_subscribers", { stream: "s" })).toBe(5);
      expect((await refused()) - before).toBe(5);
    }
  });
});

test("a subject's tickets are counted over two workers, and one whose connection is refused stays unused", async () => {
  await open({ access: { ...access, tickets: { perSubject: 3, firstUse: "3s" } }, limits: { perSubject: 1 } });
  try {
    const theirs = await makeTicket(opened.door, forS, other.key);
    const init = { method: "POST", headers: { ...bearer(web.key), "content-type": "application/json" }, body: forS };
    const answers: Response[] = [];
    for (let n = 0; n < 8; n++) answers.push(await ask("/tickets", init));
    expect(answers.map((answer) => answer.status)).toEqual([201, 201, 201, 429, 429, 429, 429, 429]);
    const madeAt = Date.now();
    const tickets = await Promise.all(
      answers.slice(0, 3).map((answer) => answer.json() as Promise<{ ticket: string }>),
    );
    const [first, second] = tickets.map(({ ticket }) => `/streams/s?ticket=${ticket}`) as [string, string];
    await follow({}, first);
    for (let n = 0; n < 2; n++) expect((await ask(second)).status).toBe(429);
    await follow({}, `/streams/s?ticket=${theirs}`);
    await eventually(() => Date.now() > madeAt + 3000);
    expect((await ask(second)).status).toBe(401);
    await leave();
    await follow({}, `/streams/s?ticket=${theirs}`);
    await follow({}, first);
    await leave();
  } finally {
    await opened.close();
  }
});

test("a subject's share of connections is counted over two workers", async () => {
  await open({ limits: { perSubject: 3 } });
  try {
    const all = await followAll(3, bearer(web.key));
    const attempt = async (): Promise<number> => {
      const response = await ask("/streams/s", { headers: bearer(web.key) });
      await response.body?.cancel();
      return response.status;
    };
    expect([await attempt(), await attempt(), await attempt()]).toEqual([429, 429, 429]);
    await follow(bearer(other.key));
    await all[0]!.cancel();
    await eventually(async () => (await attempt()) === 200, "a place for the next");
    await leave();
  } finally {
    await opened.close();
  }
});

test("a reload that revokes a key ends its tickets, whichever worker has them", async () => {
  const server = await startReloadable(2, { streams: { s: {} }, access });
  try {
    const door = { name: "", request: server.request, close: async () => {} };
    const tickets: string[] = [];
    for (let n = 0; n < 4; n++) tickets.push(await makeTicket(door, forS, n < 2 ? web.key : other.key));
    const all: Reading[] = [];
    for (const ticket of tickets) all.push(await server.subscribe(`/streams/s?ticket=${ticket}`));
    await server.write({ access: { ...access, keys: [other.config] } });
    expect((await server.post()).status).toBe(200);
    await expectBye(all.slice(0, 2), "revoked");
    for (let n = 0; n < 4; n++) expect((await server.request(`/streams/s?ticket=${tickets[0]}`)).status).toBe(401);
    await server.publish("s", { data: "1" });
    for (const reading of all.slice(2)) await reading.until(() => reading.data().length === 1);
    await Promise.all(all.map((reading) => reading.cancel()));
  } finally {
    await server.close();
  }
});
