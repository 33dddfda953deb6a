import { afterEach, describe, expect, test } from "vitest";
import type { AccessConfig } from "spillway";
import { bearer, jwtSecret, makeKey, makeToken } from "../../support/credentials.ts";
import { doors, type Door, type DoorKind } from "../../support/doors.ts";
import { openGateway, type Opened } from "../../support/gateways.ts";

const app = "https://app.example";
const web = makeKey("web", { can: ["subscribe", "publish"] });
const access: AccessConfig = { keys: [web.config], jwt: { secret: jwtSecret }, cookie: "session" };

let opened: Opened;
afterEach(() => opened.close());

async function open(kind: DoorKind, cors?: AccessConfig["cors"]): Promise<Door> {
  opened = await openGateway("memory", kind, { streams: { s: {} }, access: { ...access, cors } });
  return opened.door;
}

/** The CORS headers of a response. */
async function sharing(response: Response): Promise<Record<string, string>> {
  await response.body?.cancel();
  const found = [...response.headers].filter(([name]) => /^access-control-|^vary$/.test(name));
  // Says nothing by itself.
  return Object.fromEntries(found.filter(([name]) => name !== "access-control-expose-headers"));
}

const get = (door: Door, origin: string | undefined, path = "/streams"): Promise<Response> =>
  door.request(path, { headers: { ...bearer(web.key), ...(origin !== undefined && { origin }) } });

const preflight = (door: Door, origin: string, path = "/streams/s/events"): Promise<Response> =>
  door.request(path, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type,idempotency-key",
    },
  });

/** Similar to an allowed origin, but a different one. */
const strangers = [
  "https://evil.example",
  "http://app.example",
  "https://app.example:8443",
  "https://app.example.evil.example",
  "https://evil-app.example",
  "https://app.example/",
  "https://APP.example",
  "null",
  "*",
  "",
];

describe.each(doors)("through $name", (kind) => {
  test("an allowed origin is named in the response, no other is, and Vary informs caches", async () => {
    const door = await open(kind, { origins: [app, "https://two.example"], credentials: true });
    for (const origin of [app, "https://two.example"]) {
      const response = await get(door, origin);
      expect(response.headers.get("access-control-expose-headers")).toBe(
        "Spillway-Resume, Spillway-Run, Retry-After, Idempotency-Replayed",
      );
      expect(await sharing(response)).toEqual({
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "vary": "Origin",
      });
    }
    for (const origin of [...strangers, undefined]) {
      expect([origin, await sharing(await get(door, origin))]).toEqual([origin, { vary: "Origin" }]);
    }
  });

  test("a stream varies by Accept and by Origin", async () => {
    const door = await open(kind, { origins: [app] });
    expect(await sharing(await get(door, app, "/streams/s"))).toEqual({
      "access-control-allow-origin": app,
      "vary": "Accept, Origin",
    });
  });

  test("the preflight response for an allowed origin lists what it may send; other origins get no headers", async () => {
    const door = await open(kind, { origins: [app], maxAge: "90s" });
    const response = await preflight(door, app);
    expect(response.status).toBe(204);
    expect(response.headers.get("allow")).toBe("POST, OPTIONS");
    const headers = response.headers.get("access-control-allow-headers")!.toLowerCase().split(", ");
    expect(headers).toEqual(
      expect.arrayContaining(["authorization", "x-api-key", "content-type", "idempotency-key", "last-event-id"]),
    );
    expect(await sharing(response)).toEqual({
      "access-control-allow-origin": app,
      "access-control-allow-methods": "POST, OPTIONS",
      "access-control-allow-headers": expect.any(String),
      "access-control-max-age": "90",
      "vary": "Origin",
    });
    for (const origin of strangers) {
      expect([origin, await sharing(await preflight(door, origin))]).toEqual([origin, { vary: "Origin" }]);
    }
  });

  test("origins that may read responses can also read refusals", async () => {
    const door = await open(kind, { origins: [app] });
    const asks: ReadonlyArray<readonly [number, string, Record<string, string>, string?]> = [
      [400, "/streams/s?last=x", bearer(web.key)],
      [400, "/streams/%ff", bearer(web.key)],
      [401, "/streams/s", {}],
      [401, "/streams/s?ticket=spt_x", {}],
      [403, "/status", bearer(web.key)],
      [403, "/streams/s", { cookie: `session=${makeToken({ spillway: { can: [] } })}` }],
      [404, "/streams/none", bearer(web.key)],
      [405, "/streams/s", bearer(web.key), "DELETE"],
      [406, "/streams/s", { ...bearer(web.key), accept: "text/html" }],
      [410, "/streams/s?on-gap=fail&after=zzzz.1", bearer(web.key)],
      [415, "/streams/s/events", { ...bearer(web.key), "content-type": "text/html" }, "POST"],
    ];
    for (const [status, path, headers, method = "GET"] of asks) {
      const response = await door.request(path, {
        method,
        headers: { ...headers, origin: app },
        ...(method === "POST" && { body: "x" }),
      });
      expect([path, response.status]).toEqual([path, status]);
      expect(await sharing(response)).toMatchObject({ "access-control-allow-origin": app });
    }
  });

  test("if every origin is allowed, none is named, and cookies are not allowed", async () => {
    const door = await open(kind, { origins: ["*"] });
    for (const response of [await get(door, app), await get(door, "null")]) {
      expect(await sharing(response)).toEqual({ "access-control-allow-origin": "*" });
    }
    expect(await sharing(await preflight(door, app))).toMatchObject({ "access-control-allow-origin": "*" });
    const headers = { cookie: `session=${makeToken({ spillway: {} })}`, origin: app };
    expect((await door.request("/streams", { headers })).status).toBe(403);
  });

  test("if no origin is allowed, there are no CORS headers", async () => {
    const door = await open(kind);
    for (const response of [await get(door, app), await preflight(door, app)]) {
      expect(await sharing(response)).toEqual({});
    }
  });
});

test.each(doors.filter(({ name }) => name.startsWith("its own server")))(
  "a cookie is accepted from the gateway's own origin, through $name",
  async (kind) => {
    const door = await open(kind);
    const { port } = await opened.gateway.listen();
    const scheme = kind.name.endsWith("TLS") ? "https" : "http";
    const post = async (headers: Record<string, string>): Promise<number> => {
      const cookie = `session=${makeToken({ spillway: {} })}`;
      const sent = { cookie, "content-type": "application/json", ...headers };
      const response = await door.request("/tickets", { method: "POST", headers: sent, body: '{"stream":"s"}' });
      await response.text();
      return response.status;
    };
    expect(await post({ origin: `${scheme}://127.0.0.1:${port}` })).toBe(201);
    expect(await post({ "sec-fetch-site": "same-origin" })).toBe(201);
    for (const origin of [`${scheme}://127.0.0.1:${port + 1}`, `${scheme}s://127.0.0.1:${port}`, "null"]) {
      expect(await post({ origin })).toBe(403);
    }
    for (const site of ["cross-site", "same-site"]) expect(await post({ "sec-fetch-site": site })).toBe(403);
    expect(await post({})).toBe(403);
  },
);
