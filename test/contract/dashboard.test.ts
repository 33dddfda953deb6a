import { createServer } from "node:http";
import { once } from "node:events";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { createGateway, type Gateway, type GatewayConfig } from "spillway";
import { bearer, makeKey, makeToken, jwtSecret } from "../support/credentials.ts";
import { doors, type Door, type DoorKind } from "../support/doors.ts";
import { portOf } from "../support/ports.ts";
import { eventually } from "../support/reader.ts";

/** The dashboard's page, and its sessions. */

const ops = makeKey("ops", { can: ["admin", "inspect", "publish"] });
const watcher = makeKey("watcher", { can: ["admin", "subscribe"] });
const web = makeKey("web", { can: ["subscribe", "inspect"] });
const keys = [ops.config, watcher.config, web.config];

const asked = { "spillway-dashboard": "1" };

let gateway: Gateway;
let door: Door | undefined;
afterEach(async () => {
  await gateway.close();
  await door?.close();
  door = undefined;
});

async function open(kind: DoorKind, config: Partial<GatewayConfig> = {}): Promise<Door> {
  const base = { listen: "127.0.0.1:0", store: "memory:", streams: { a: {}, b: {} }, dashboard: true };
  gateway = await createGateway({ ...base, access: { keys }, ...config, ...kind.config?.() });
  return (door = await kind.open(gateway));
}

/** Logs in as the page does, from the origin where it was loaded. */
function login(key: string, headers: Record<string, string> = {}): Promise<Response> {
  const from = { ...asked, "sec-fetch-site": "same-origin", "content-type": "application/json" };
  return door!.request("/dashboard/session", {
    method: "POST",
    headers: { ...from, ...headers },
    body: JSON.stringify({ key }),
  });
}

async function cookieOf(response: Response): Promise<Record<string, string>> {
  expect(response.status, await response.clone().text()).toBe(201);
  return { cookie: response.headers.get("set-cookie")!.split(";")[0]! };
}

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { code: string }).code;
}

const own = doors.find(({ name }) => name === "its own server")!;
const mounted = doors.find(({ name }) => name === "http/1.1")!;

describe.each(doors)("$name", (kind) => {
  test("the page loads only its own files, under a policy that allows nothing else", async () => {
    await open(kind);
    const page = await door!.request("/dashboard/", { headers: { accept: "text/html" } });
    expect(page.status).toBe(200);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("cache-control")).toBe("no-store");
    const policy = page.headers.get("content-security-policy")!;
    for (const rule of ["default-src 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"])
      expect(policy).toContain(rule);
    expect(policy).not.toMatch(/unsafe|https?:|\*|inline/);
    const files = Array.from((await page.text()).matchAll(/(?:src|href)="(?!data:,)([^"]*)"/g), ([, file]) => file!);
    expect(files.toSorted()).toEqual(["app.css", "app.js"]);
    const types: Array<string | null> = [];
    for (const file of files.toSorted()) {
      const answer = await door!.request(`/dashboard/${file}`);
      types.push(answer.headers.get("content-type"));
      expect((await answer.text()).length).toBeGreaterThan(1000);
    }
    expect(types).toEqual(["text/css; charset=utf-8", "text/javascript; charset=utf-8"]);
    const posted = await door!.request("/dashboard/", { method: "POST" });
    expect([posted.status, await codeOf(posted)]).toEqual([405, "method-not-allowed"]);
    const moved = await door!.request("/dashboard", { redirect: "manual" });
    expect([moved.status, moved.headers.get("location")]).toEqual([308, "./dashboard/"]);
  });
});

describe.each(doors.filter(({ name }) => name !== "fetch"))("a session, $name", (kind) => {
  test("stands for a key, until the user logs out", async () => {
    await open(kind);
    const response = await login(ops.key);
    const set = response.headers.get("set-cookie")!;
    expect(set).toMatch(/^__Host-spillway-session=spt_[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/);
    const cookie = await cookieOf(response);
    expect(await response.json()).toEqual({
      subject: "key:ops",
      session: true,
      can: ["admin", "inspect", "publish", "subscribe"],
      write: false,
      takesCredentials: true,
    });
    const status = await door!.request("/status", { headers: { ...asked, ...cookie, accept: "*/*" } });
    expect(status.status).toBe(200);
    expect(
      await (await door!.request("/dashboard/session", { headers: { ...asked, ...cookie } })).json(),
    ).toMatchObject({
      subject: "key:ops",
      session: true,
    });
    const stream = await door!.request("/streams/a", { headers: { ...asked, ...cookie } });
    expect(stream.status).toBe(200);
    const ended = stream.text();
    const out = await door!.request("/dashboard/session", {
      method: "DELETE",
      headers: { ...asked, ...cookie, "sec-fetch-site": "same-origin" },
    });
    expect(out.headers.get("set-cookie")).toContain("Max-Age=0");
    expect(await ended).toContain('"reason":"revoked"');
    const after = await door!.request("/status", { headers: { ...asked, ...cookie } });
    expect([after.status, await codeOf(after)]).toEqual([401, "ticket-invalid"]);
  });

  test("counts only in requests of the dashboard's own pages", async () => {
    await open(kind);
    const cookie = await cookieOf(await login(ops.key));
    const get = (headers: Record<string, string>): Promise<Response> =>
      door!.request("/status", { headers: { ...cookie, ...headers } });
    expect((await get({})).status).toBe(401);
    expect((await get({ ...asked, origin: "https://evil.example" })).status).toBe(403);
    expect((await get({ ...asked, "sec-fetch-site": "same-site" })).status).toBe(403);
    expect((await get({ ...asked, "sec-fetch-site": "same-origin" })).status).toBe(200);
    for (const foreign of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }]) {
      const refused = await login(ops.key, foreign);
      expect([refused.status, await codeOf(refused)]).toEqual([403, "origin-denied"]);
    }
    const unasked = await login(ops.key, { "spillway-dashboard": "" });
    expect(unasked.status).toBe(400);
  });
});

test("several subscriptions of a session can be open at once", async () => {
  await open(own);
  const cookie = await cookieOf(await login(ops.key));
  const aborts = [new AbortController(), new AbortController()];
  onTestFinished(() => aborts.forEach((each) => each.abort()));
  for (const { signal } of aborts) {
    expect((await door!.request("/streams/a", { headers: { ...asked, ...cookie }, signal })).status).toBe(200);
  }
  await eventually(() => gateway.subscribers("a").total === 2);
});

test("a token can be used instead of a key, and the session ends with it", async () => {
  await open(own, { access: { jwt: { secret: jwtSecret } } });
  const exp = Math.floor(Date.now() / 1000) + 3;
  const response = await login(makeToken({ sub: "ann", exp, spillway: { can: ["admin"] } }));
  const cookie = await cookieOf(response);
  expect(await response.json()).toMatchObject({ subject: "jwt:ann" });
  await eventually(async () => (await door!.request("/status", { headers: { ...asked, ...cookie } })).status === 401);
});

test("nobody without the right admin can log in, and a wrong key counts as a failed credential", async () => {
  await open(own, { limits: { failedCredentials: "3/1m" } });
  const refused = await login(web.key);
  expect([refused.status, await codeOf(refused)]).toEqual([403, "access-denied"]);
  expect(refused.headers.get("set-cookie")).toBeNull();
  const codes: string[] = [];
  for (const key of ["spw_1", "spw_2", "spw_3", "spw_4"]) codes.push(await codeOf(await login(key)));
  expect(codes).toEqual(["credential-invalid", "credential-invalid", "credential-invalid", "rate-limited"]);
  for (const body of ["", "{}", '{"key":""}', '{"key":"a b"}', "[]", "null", '{"key":1}']) {
    const answer = await door!.request("/dashboard/session", {
      method: "POST",
      headers: { ...asked, "sec-fetch-site": "same-origin" },
      body,
    });
    expect([body, answer.status, await codeOf(answer)]).toEqual([body, 400, "request-invalid"]);
  }
});

test("a session reads events only with the right inspect, even if its key may subscribe", async () => {
  await open(own);
  await gateway.publish("a", { data: "secret-payload" });
  const read = async (key: string): Promise<Response> => {
    const cookie = await cookieOf(await login(key));
    return door!.request("/streams/a?last=1", { headers: { ...asked, ...cookie, accept: "application/json" } });
  };
  const denied = await read(watcher.key);
  expect(denied.status).toBe(403);
  expect(await denied.text()).not.toContain("secret-payload");
  const granted = await read(ops.key);
  expect(await granted.text()).toContain("secret-payload");
  // Outside of the dashboard, the right has no effect.
  const outside = makeKey("outside", { can: ["inspect"] });
  await gateway.close();
  await open(own, { access: { keys: [outside.config] } });
  expect((await door!.request("/streams/a", { headers: bearer(outside.key) })).status).toBe(403);
});

test.each([
  [true, 403],
  [{ write: true }, 200],
])("with dashboard: %j, a session publishes with status %d", async (dashboard, status) => {
  await open(own, { dashboard });
  const cookie = await cookieOf(await login(ops.key));
  const publish = (headers: Record<string, string>): Promise<Response> =>
    door!.request("/streams/a/events", {
      method: "POST",
      headers: { ...asked, ...cookie, "content-type": "application/json", ...headers },
      body: '{"data":"x"}',
    });
  const answer = await publish({ "sec-fetch-site": "same-origin" });
  expect(answer.status).toBe(status);
  // The key itself may still publish.
  const direct = await door!.request("/streams/a/events", {
    method: "POST",
    headers: { ...bearer(ops.key), "content-type": "application/json" },
    body: '{"data":"y"}',
  });
  expect(direct.status).toBe(200);
  // Without `Origin` and `Sec-Fetch-Site`, nobody can tell which page has sent it.
  expect((await publish({})).status).toBe(403);
});

test("a key is not accepted over plain HTTP from another machine", async () => {
  await open(mounted);
  const session = (origin: string): Promise<Response> =>
    gateway.fetch(
      new Request(`${origin}/live/dashboard/session`, {
        method: "POST",
        headers: { ...asked, origin },
        body: JSON.stringify({ key: ops.key }),
      }),
      "/live",
    );
  const plain = await session("http://feed.example");
  expect([plain.status, await codeOf(plain)]).toEqual([403, "access-denied"]);
  expect((await session("https://feed.example")).status).toBe(201);
  expect((await session("http://localhost:8080")).status).toBe(201);
});

test("a program that decides about each request decides about the dashboard, too", async () => {
  gateway = await createGateway({ streams: { a: {} }, store: "memory:", dashboard: true, access: { keys } });
  const grant = (request: Request) =>
    request.headers.get("x-user") === "ann" ? { can: ["admin" as const] } : undefined;
  const ask = (path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Response> =>
    gateway.fetch(
      new Request(`https://app.example${path}`, {
        method,
        headers: { ...asked, "sec-fetch-site": "same-origin", ...headers },
        ...(method === "POST" && { body: JSON.stringify({ key: ops.key }) }),
      }),
      { grant },
    );
  expect(await (await ask("/dashboard/session", { "x-user": "ann" })).json()).toMatchObject({ can: ["admin"] });
  expect((await ask("/status", { "x-user": "ann" })).status).toBe(200);
  expect((await ask("/status")).status).toBe(403);
  const refused = await ask("/dashboard/session", {}, "POST");
  expect([refused.status, await codeOf(refused)]).toEqual([403, "access-denied"]);
});

test("a session does not outlive the key, and the dashboard can be switched off by a reload", async () => {
  const list = [ops.config];
  let config: GatewayConfig = { streams: { a: {} }, store: "memory:", dashboard: true, access: { keys: list } };
  gateway = await createGateway(config, { readConfig: () => config });
  door = await mounted.open(gateway);
  const cookie = await cookieOf(await login(ops.key));
  const status = async (): Promise<number> =>
    (await door!.request("/status", { headers: { ...asked, ...cookie } })).status;
  expect(await status()).toBe(200);
  config = { ...config, dashboard: false };
  await gateway.reload();
  expect(await status()).toBe(401);
  expect((await door.request("/dashboard/")).status).toBe(404);
  config = { ...config, dashboard: true };
  await gateway.reload();
  expect(await status()).toBe(200);
  config = { ...config, access: { keys: [{ ...ops.config, can: ["subscribe"] }] } };
  await gateway.reload();
  expect(await status()).toBe(401);
});

describe("without a setting", () => {
  test.each([
    [own, {}, 200],
    [own, { trustProxy: ["10.0.0.1"] }, 404],
    [own, { hosts: ["feed.example"] }, 404],
    [own, { dashboard: false }, 404],
    [mounted, {}, 404],
  ] as const)("the dashboard is there only for the machine itself", async (kind, config, status) => {
    await open(kind, { dashboard: undefined, ...config });
    expect((await door!.request("/dashboard/")).status).toBe(status);
  });

  test("a route of the user's keeps its path", async () => {
    const target = createServer((_, response) => response.end("mine")).listen(0, "127.0.0.1");
    await once(target, "listening");
    onTestFinished(() => void target.close());
    const upstream = { url: `http://127.0.0.1:${portOf(target)}` };
    const routes = { "/dashboard/**": { upstream, access: "none" as const } };
    await open(own, { dashboard: undefined, routes });
    expect(await (await door!.request("/dashboard/")).text()).toBe("mine");
    await gateway.close();
    await open(own, { dashboard: true, routes });
    expect(await (await door!.request("/dashboard/")).text()).toContain("Spillway dashboard");
  });
});

test("the cookie of a session is never forwarded to a target", async () => {
  const seen: Array<string | undefined> = [];
  const target = createServer((request, response) => {
    seen.push(request.headers.cookie);
    response.end();
  }).listen(0, "127.0.0.1");
  await once(target, "listening");
  onTestFinished(() => void target.close());
  const upstream = { url: `http://127.0.0.1:${portOf(target)}` };
  await open(own, { routes: { "/api/**": { upstream, access: "none", credential: "keep" } } });
  const { cookie } = await cookieOf(await login(ops.key));
  await door!.request("/api/x", { headers: { cookie: `theme=dark; ${cookie!}; a=b` } });
  await door!.request("/api/x", { headers: { cookie: cookie! } });
  expect(seen).toEqual(["theme=dark; a=b", undefined]);
});
