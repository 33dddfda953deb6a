import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { AccessConfig, GatewayConfig } from "spillway";
import { bearer, jwtSecret, makeKey, makeToken, secondsFromNow } from "../../support/credentials.ts";
import { doors, leastDoors, type Door, type DoorKind } from "../../support/doors.ts";
import { openGateway, type Opened } from "../../support/gateways.ts";
import { portOf } from "../../support/ports.ts";
import { makeTicket } from "../../support/probe.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { startServe, withDirectory } from "../cli/cli.ts";

const web = makeKey("web", { can: ["subscribe"], channels: ["user:*", "news"] });
const access: AccessConfig = {
  anonymous: ["subscribe"],
  keys: [web.config],
  jwt: { secret: jwtSecret, clockTolerance: "0s" },
};
const forS = '{"stream":"s"}';

const cleanUps: Array<() => Promise<unknown> | void> = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function open(
  kind: DoorKind,
  config: Partial<GatewayConfig> = {},
  change?: () => Partial<GatewayConfig>,
): Promise<Opened> {
  const opened = await openGateway("memory", kind, { streams: { s: {}, t: {} }, access, ...config }, change);
  cleanUps.push(opened.close);
  return opened;
}

const show = (door: Door, ticket: string, lastId?: string): Promise<Response> =>
  door.request(`/streams/s?ticket=${ticket}`, {
    headers: { accept: "text/event-stream", ...(lastId !== undefined && { "last-event-id": lastId }) },
  });

async function follow(door: Door, ticket: string, lastId?: string): Promise<Reading> {
  const response = await show(door, ticket, lastId);
  expect(response.status).toBe(200);
  const reading = read(response);
  cleanUps.push(() => reading.cancel().catch(() => undefined));
  return reading.until(({ events }) => events.length > 0);
}

async function expectBye(reading: Reading, reason: string): Promise<void> {
  await eventually(() => reading.ended, "the end of the response");
  expect(reading.controls("spillway.bye")).toMatchObject([{ reason }]);
}

async function expectInvalid(door: Door, ticket: string): Promise<void> {
  const response = await show(door, ticket);
  expect(response.status).toBe(401);
  const text = await response.text();
  expect(JSON.parse(text)).toMatchObject({ code: "ticket-invalid" });
  expect(text).not.toContain(ticket);
}

const ask = (
  door: Door,
  body: string,
  headers: Readonly<Record<string, string>> = bearer(web.key),
): Promise<Response> =>
  door.request("/tickets", { method: "POST", headers: { ...headers, "content-type": "application/json" }, body });

const subscribers = ({ gateway }: Opened): number => gateway.status().streams["s"]!.subscribers;

/** A target that answers with what it gets to see. */
async function startTarget(): Promise<string> {
  const server = createServer(({ url, headers }, response) => void response.end(`${url} ${headers["authorization"]}`));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUps.push(() => void server.close());
  return `http://127.0.0.1:${portOf(server)}`;
}

describe.each(leastDoors)("through $name", (kind) => {
  test("a ticket for a route grants its holder's right to it, repeatedly, and nothing else", async () => {
    const upstream = { url: await startTarget() };
    const holder = makeKey("holder", { can: ["proxy"], routes: ["/a", "/b/*"] });
    const routes = { "/a": { upstream }, "/b/*": { upstream }, "/c": { upstream } };
    const { door } = await open(kind, { routes, access: { keys: [holder.config] } });
    const askFor = (body: object): Promise<Response> => ask(door, JSON.stringify(body), bearer(holder.key));
    const issued = await askFor({ route: "/a" });
    expect(issued.status).toBe(201);
    const { ticket, url } = (await issued.json()) as { ticket: string; url: string };
    expect(url).toMatch(/\/a\?ticket=spt_/);
    for (let n = 0; n < 3; n++) {
      const response = await door.request(`/a?ticket=${ticket}&n=${n}`);
      expect([response.status, await response.text()]).toEqual([200, `/a?n=${n} undefined`]);
    }
    const others = ["/c", "/b/x", "/streams/s", "/status"].map((path) => door.request(`${path}?ticket=${ticket}`));
    for (const response of await Promise.all(others)) expect(response.status).toBe(403);
    const many = (await (await askFor({ route: "/b/*" })).json()) as { ticket: string; url?: string };
    expect(many.url).toBeUndefined();
    expect((await door.request(`/b/x?ticket=${many.ticket}`)).status).toBe(200);
  });

  test("no ticket is issued for a route that is not granted, or does not exist", async () => {
    const upstream = { url: "http://127.0.0.1:9" };
    const holder = makeKey("holder", { can: ["proxy"], routes: ["/a", "/gone"] });
    const { door } = await open(kind, {
      routes: { "/a": { upstream }, "/c": { upstream } },
      access: { keys: [holder.config] },
    });
    const codes = await Promise.all(
      [{ route: "/c" }, { route: "/gone" }, { stream: "s" }, { route: "/a", stream: "s" }, { route: 1 }].map(
        async (body) => {
          const response = await ask(door, JSON.stringify(body), bearer(holder.key));
          return [response.status, ((await response.json()) as { code: string }).code];
        },
      ),
    );
    expect(codes).toEqual([
      [403, "access-denied"],
      [404, "not-found"],
      [403, "access-denied"],
      [400, "request-invalid"],
      [400, "request-invalid"],
    ]);
  });

  test("a ticket can open its stream repeatedly, and delivery continues where it stopped", async () => {
    const { door, gateway } = await open(kind);
    const ticket = await makeTicket(door, forS, web.key);
    let lastId: string | undefined;
    for (let n = 0; n < 10; n++) {
      const reading = await follow(door, ticket, lastId);
      const [hidden, seen] = [{ data: "hidden" }, { data: String(n), channel: "news" }];
      [, lastId] = (await gateway.publish("s", [hidden, seen])) as [string, string];
      await reading.until(() => reading.data().length === 1);
      expect(reading.data()).toEqual([String(n)]);
      await reading.cancel();
    }
  });

  test("a ticket on a second connection ends the first one, and of many simultaneous ones one remains", async () => {
    const opened = await open(kind);
    const { door, gateway } = opened;
    const [ticket, another] = [await makeTicket(door, forS, web.key), await makeTicket(door, forS, web.key)];
    const other = await follow(door, another);
    const first = await follow(door, ticket);
    const second = await follow(door, ticket);
    await expectBye(first, "replaced");
    const crowd = await Promise.all(Array.from({ length: 8 }, () => follow(door, ticket)));
    await expectBye(second, "replaced");
    await eventually(() => crowd.filter(({ ended }) => ended).length === 7, "the end of all but one");
    await gateway.publish("s", { data: "1", channel: "news" });
    const left = crowd.find((reading) => !reading.ended);
    for (const reading of [left!, other]) await reading.until(() => reading.data().length === 1);
    expect(subscribers(opened)).toBe(2);
  });

  test("requests that open no connection with the ticket end none", async () => {
    const { door, gateway } = await open(kind);
    const ticket = await makeTicket(door, forS, web.key);
    const reading = await follow(door, ticket);
    const statuses = [
      await door.request(`/streams?ticket=${ticket}`),
      await door.request(`/streams/s?ticket=${ticket}`, { method: "HEAD" }),
      await door.request(`/streams/s?ticket=${ticket}&channels=secret`),
    ].map(({ status }) => status);
    expect(statuses).toEqual([200, 200, 403]);
    await gateway.publish("s", { data: "1", channel: "news" });
    await reading.until(() => reading.data().length === 1);
  });

  test("a ticket that was not used in time is invalid, one that was remains valid", async () => {
    const { door } = await open(kind, { access: { ...access, tickets: { firstUse: "2s" } } });
    const [early, late] = [await makeTicket(door, forS, web.key), await makeTicket(door, forS, web.key)];
    const madeAt = Date.now();
    await (await follow(door, early)).cancel();
    await eventually(() => Date.now() > madeAt + 2000);
    await expectInvalid(door, late);
    await follow(door, early);
  });

  test("a ticket ends with its holder's token, or at the end of its own lifetime", async () => {
    const exp = secondsFromNow(3);
    const token = makeToken({ sub: "ada", exp, spillway: {} });
    const { door } = await open(kind, { access: { ...access, tickets: { lifetime: "3s" } } });
    const issued = (await (await ask(door, forS, bearer(token))).json()) as { ticket: string; expiresAt: string };
    const askedAt = Date.now();
    const own = (await (await ask(door, forS)).json()) as typeof issued;
    expect(Date.parse(issued.expiresAt)).toBeLessThanOrEqual(exp * 1000);
    expect(Date.parse(own.expiresAt)).toBeGreaterThanOrEqual(askedAt + 3000);
    const readings = await Promise.all([issued, own].map(({ ticket }) => follow(door, ticket)));
    for (const [n, { ticket, expiresAt }] of [issued, own].entries()) {
      await expectBye(readings[n]!, "token-expired");
      expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt));
      await expectInvalid(door, ticket);
    }
  });

  test("a ticket grants only what was requested, and the request must be granted", async () => {
    const { door, gateway } = await open(kind);
    const reading = await follow(door, await makeTicket(door, '{"stream":"s","channels":["user:ada"]}', web.key));
    await gateway.publish("s", [
      { data: "1", channel: "user:ben" },
      { data: "2", channel: "user:ada" },
    ]);
    await reading.until(() => reading.data().length === 1);
    expect(reading.data()).toEqual(["2"]);
    for (const [body, status] of [
      ['{"stream":"s","channels":["user:ada","secret"]}', 403],
      ['{"stream":"s","channels":["*"]}', 403],
      ['{"stream":"unknown"}', 404],
      ['{"stream":"s","channel":["user:ada"]}', 400],
      ['{"stream":"s","channels":"user:ada"}', 400],
      ['{"stream":"s","channels":[]}', 400],
      ['{"stream":7}', 400],
      ["[]", 400],
      ["{", 400],
      ["", 400],
    ] as const) {
      const response = await ask(door, body);
      expect([body, response.status]).toEqual([body, status]);
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      await response.text();
    }
  });

  test("a refused connection does not use the ticket", async () => {
    const tickets = { firstUse: "2s" };
    const { door } = await open(kind, { access: { ...access, tickets }, limits: { perSubject: 1 } });
    const place = read(
      await door.request("/streams/s", { headers: { ...bearer(web.key), accept: "text/event-stream" } }),
    );
    const ticket = await makeTicket(door, forS, web.key);
    const madeAt = Date.now();
    const refusal = await show(door, ticket);
    expect([refusal.status, ((await refusal.json()) as { code: string }).code]).toEqual([429, "too-many-connections"]);
    await place.cancel();
    await eventually(() => Date.now() > madeAt + 2000);
    await expectInvalid(door, ticket);
  });

  test("a client without a credential gets a ticket only if that is configured", async () => {
    const refusalOf = async (config: AccessConfig): Promise<unknown> => {
      const { door } = await open(kind, { access: config });
      const response = await ask(door, forS, {});
      return [response.status, ((await response.json()) as { code?: string }).code];
    };
    expect(await refusalOf(access)).toEqual([401, "credential-required"]);
    expect(await refusalOf({ anonymous: ["subscribe"] })).toEqual([403, "access-denied"]);
    expect(await refusalOf({ ...access, tickets: { anonymous: true } })).toEqual([201, undefined]);
    expect(await refusalOf({ tickets: { anonymous: true } })).toEqual([403, "access-denied"]);
  });

  test("a client that requests one ticket after the other is refused, and evicts no other tickets", async () => {
    const flooder = makeKey("flooder", { can: ["subscribe"] });
    const tickets = { perSubject: 50 };
    const { door } = await open(kind, { access: { ...access, keys: [web.config, flooder.config], tickets } });
    const [used, unused] = [await makeTicket(door, forS, web.key), await makeTicket(door, forS, web.key)];
    const reading = await follow(door, used);
    const channels = Array.from({ length: 100 }, (_, n) => `channel-${n}`.padEnd(100, "x"));
    const answers = await Promise.all(
      Array.from({ length: 500 }, () => ask(door, JSON.stringify({ stream: "s", channels }), bearer(flooder.key))),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(50);
    for (const refusal of answers.filter(({ status }) => status !== 201)) {
      expect([refusal.status, await refusal.json()]).toMatchObject([429, { code: "too-many-tickets" }]);
      expect(Number(refusal.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect((await ask(door, forS)).status).toBe(201);
    await follow(door, unused);
    await reading.cancel();
    await follow(door, used);
  });

  test("a ticket has at most as many channels as a subscription may name", async () => {
    const { door } = await open(kind, { limits: { channels: 3 } });
    const ticketFor = async (count: number): Promise<number> => {
      const channels = Array.from({ length: count }, (_, n) => `user:${n}`);
      return (await ask(door, JSON.stringify({ stream: "s", channels }))).status;
    };
    expect([await ticketFor(3), await ticketFor(4)]).toEqual([201, 400]);
  });

  test("a reload that revokes the holder's grant ends the ticket; other reloads do not", async () => {
    let keys = [web.config];
    const { door, gateway } = await open(kind, {}, () => ({ access: { ...access, keys } }));
    const news = await makeTicket(door, '{"stream":"s","channels":["news"]}', web.key);
    const user = await makeTicket(door, '{"stream":"s","channels":["user:ada"]}', web.key);
    const [staying, ending] = [await follow(door, news), await follow(door, user)];
    keys = [{ ...web.config, channels: ["news"] }];
    await gateway.reload();
    await expectBye(ending, "revoked");
    await expectInvalid(door, user);
    await gateway.publish("s", { data: "1", channel: "news" });
    await staying.until(() => staying.data().length === 1);
    await follow(door, news);
    keys = [];
    await gateway.reload();
    await expectInvalid(door, news);
  });
});

test("a ticket's URL has the origin under which its client reaches the gateway", async () => {
  const url = async (trustProxy: string[], headers: Record<string, string>): Promise<string> => {
    const { door } = await open(doors[1]!, { trustProxy });
    const { url: made } = (await (await ask(door, forS, { ...bearer(web.key), ...headers })).json()) as { url: string };
    return made.replace(/ticket=spt_[\w-]{43}$/, "ticket=…");
  };
  const forwarded = { "x-forwarded-proto": "https", "x-forwarded-host": "feed.example" };
  expect(await url(["127.0.0.1"], forwarded)).toBe("https://feed.example/streams/s?ticket=…");
  expect(await url([], forwarded)).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/streams\/s\?ticket=…$/);
});

test("no ticket appears in the program's log, used or refused", () =>
  withDirectory(async (cwd) => {
    const config = { store: "memory:", streams: { s: {} }, access: { keys: [web.config] } };
    await writeFile(join(cwd, "spillway.json"), JSON.stringify(config));
    const cli = await startServe(["--config", "spillway.json", "--log-level", "debug"], { cwd });
    const door: Door = { name: "", request: (path, init) => fetch(cli.url + path, init), close: async () => {} };
    const [ticket, forged] = [await makeTicket(door, forS, web.key), `spt_${"x".repeat(43)}`];
    await (await follow(door, ticket)).cancel();
    for (const path of [
      `/streams/t?ticket=${ticket}`,
      `/streams/s?last=x&ticket=${ticket}`,
      `/streams/s?ticket=${forged}`,
      `/none?ticket=${ticket}`,
    ]) {
      const text = await (await fetch(cli.url + path)).text();
      for (const secret of [ticket, forged]) expect(text).not.toContain(secret);
    }
    await cli.until(({ stdout }) => stdout().includes('"subscription ended"'));
    cli.child.kill("SIGTERM");
    const { stdout, stderr } = await cli.result;
    expect(stdout).toContain('"subject":"key:web"');
    for (const secret of [ticket, forged, web.key]) expect(stdout + stderr).not.toContain(secret.slice(4));
  }));
