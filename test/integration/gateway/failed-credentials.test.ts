import { afterEach, describe, expect, test } from "vitest";
import type { GatewayConfig } from "spillway";
import { bearer, jwtSecret, makeKey, makeToken, secondsFromNow } from "../../support/credentials.ts";
import { doors, type Door, type DoorKind } from "../../support/doors.ts";
import { openGateway, type Opened } from "../../support/gateways.ts";
import { eventually } from "../../support/reader.ts";

const web = makeKey("web", { can: ["subscribe"] });
const other = makeKey("other", { can: ["subscribe"] });
const [office, home] = ["192.0.2.1", "192.0.2.2"];

const cleanUps: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function open(
  kind: DoorKind,
  limits: GatewayConfig["limits"],
  change?: () => Partial<GatewayConfig>,
): Promise<Opened> {
  const access = { anonymous: ["subscribe"] as const, keys: [web.config, other.config], jwt: { secret: jwtSecret } };
  const config = { streams: { s: {} }, trustProxy: ["127.0.0.0/8"], access, limits };
  const opened = await openGateway("memory", kind, config, change);
  cleanUps.push(opened.close);
  return opened;
}

async function ask(
  door: Door,
  address: string,
  headers: Readonly<Record<string, string>> = {},
  path = "/streams",
): Promise<Response> {
  const response = await door.request(path, { headers: { "x-forwarded-for": address, ...headers } });
  if (response.status === 200) await response.body?.cancel();
  return response;
}

/** A new unknown credential at each call. */
function guesses(): Array<Readonly<Record<string, string>>> {
  const guess = (): string => makeKey("guess", {}).key;
  return [
    bearer(guess()),
    { "x-api-key": guess() },
    bearer(makeToken({ sub: guess() }, guess())),
    { "x-api-key": "12" },
  ];
}

async function codeOf(asked: Promise<Response>): Promise<string> {
  const response = await asked;
  return response.status === 200 ? "ok" : ((await response.json()) as { code: string }).code;
}

// Fetch knows no address; its own server with TLS speaks the HTTP/2 of another door.
const withAddress = doors.filter(({ name, config }) => name !== "fetch" && !config);

describe.each(withAddress)("through $name", (kind) => {
  test("a client that sends one unknown credential after the other has to wait, longer each time", async () => {
    const { door } = await open(kind, { failedCredentials: "4/1h" });
    for (const guess of guesses()) expect(await codeOf(ask(door, office, guess))).toBe("credential-invalid");
    const waits: number[] = [];
    for (let times = 0; times < 2; times++) {
      const refused = await ask(door, office, guesses()[0]);
      expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([429, "rate-limited"]);
      waits.push(Number(refused.headers.get("retry-after")));
      await eventually(async () => (await codeOf(ask(door, office, guesses()[1]))) === "credential-invalid");
    }
    expect(waits[0]).toBeLessThanOrEqual(2);
    const last = await ask(door, office, guesses()[2]);
    expect(Number(last.headers.get("retry-after"))).toBeGreaterThanOrEqual(3);
  });

  test("meanwhile other requests are served: other addresses, no credential, and credentials that were valid there before", async () => {
    const { door } = await open(kind, { failedCredentials: "4/1h" });
    const token = makeToken({ sub: "ada", spillway: {} });
    for (const good of [bearer(web.key), bearer(token)]) expect(await codeOf(ask(door, office, good))).toBe("ok");
    for (const guess of guesses()) await ask(door, office, guess);
    expect(await codeOf(ask(door, office, guesses()[0]))).toBe("rate-limited");
    for (const good of [bearer(web.key), { "x-api-key": web.key }, bearer(token), {}]) {
      expect(await codeOf(ask(door, office, good))).toBe("ok");
    }
    expect(await codeOf(ask(door, home, bearer(other.key)))).toBe("ok");
    // Otherwise a correct guess could be distinguished from a wrong one.
    expect(await codeOf(ask(door, office, bearer(other.key)))).toBe("rate-limited");
  });

  test("a client with an old credential, and expired credentials and tickets, block nobody", async () => {
    const { door } = await open(kind, { failedCredentials: "2/1h" });
    const old = bearer(makeKey("old", {}).key);
    for (let times = 0; times < 10; times++) {
      expect(await codeOf(ask(door, office, old))).toBe("credential-invalid");
      const ended = makeToken({ sub: String(times), exp: secondsFromNow(-60) });
      expect(await codeOf(ask(door, office, bearer(ended)))).toBe("credential-expired");
      expect(await codeOf(ask(door, office, {}, `/streams?ticket=spt_${times}`))).toBe("ticket-invalid");
    }
    expect(await codeOf(ask(door, office, bearer(web.key)))).toBe("ok");
  });

  test("a reload does not reset the failures", async () => {
    const { door, gateway } = await open(kind, { failedCredentials: "4/1h" }, () => ({ drain: "1s" }));
    for (let times = 0; times < 3; times++) {
      for (const guess of guesses()) await ask(door, office, guess);
      await gateway.reload();
    }
    expect(await codeOf(ask(door, office, guesses()[0]))).toBe("rate-limited");
  });

  test("without the limit nobody has to wait", async () => {
    const { door } = await open(kind, { failedCredentials: "none" });
    for (let times = 0; times < 10; times++) {
      for (const guess of guesses()) expect(await codeOf(ask(door, office, guess))).toBe("credential-invalid");
    }
  });

  test("the request rate counts wrong credentials and made-up streams, before anything else", async () => {
    const { door } = await open(kind, { requestRate: "6/1h", failedCredentials: "none" });
    const refusals = [
      ask(door, office, guesses()[0]),
      ask(door, office, {}, "/streams/made-up"),
      ask(door, office, {}, "/streams/s/events"),
      ask(door, office, {}, "/streams?token=x"),
      ask(door, office, {}, "/metrics"),
      ask(door, office, {}, "/streams/s?last=x"),
    ];
    for (const response of await Promise.all(refusals)) expect(response.status).not.toBe(429);
    for (const guess of [{}, bearer(web.key)]) expect(await codeOf(ask(door, office, guess))).toBe("rate-limited");
    expect(await codeOf(ask(door, home))).toBe("ok");
    for (let times = 0; times < 10; times++) expect((await ask(door, office, {}, "/healthz")).status).toBe(200);
  });

  test("the connect rate counts refused attempts, and only attempts to subscribe", async () => {
    const { door } = await open(kind, { connectRate: "3/1h" });
    for (let times = 0; times < 5; times++) expect(await codeOf(ask(door, office))).toBe("ok");
    expect(await codeOf(ask(door, office, guesses()[0], "/streams/s"))).toBe("credential-invalid");
    expect(await codeOf(ask(door, office, {}, "/streams/made-up"))).toBe("stream-unknown");
    expect(await codeOf(ask(door, office, {}, "/streams/s"))).toBe("ok");
    expect(await codeOf(ask(door, office, {}, "/streams/s"))).toBe("rate-limited");
    expect(await codeOf(ask(door, home, {}, "/streams/s"))).toBe("ok");
  });
});

test("Spillway's own server counts paths that do not exist, your server only the gateway's paths", async () => {
  const [mounted, own] = [doors[0]!, doors[1]!];
  const { door: ofYours } = await open(mounted, { requestRate: "2/1h" });
  for (let times = 0; times < 4; times++) expect((await ask(ofYours, office, {}, "/made-up")).status).toBe(404);
  const { door } = await open(own, { requestRate: "2/1h" });
  for (let times = 0; times < 4; times++) {
    expect((await ask(door, office, {}, "/made-up")).status).toBe(times < 2 ? 404 : 429);
  }
});
