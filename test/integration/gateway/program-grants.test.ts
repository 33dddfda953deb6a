import { afterEach, describe, expect, test } from "vitest";
import type { AuthorizeResult, GatewayConfig, GrantDecision } from "spillway";
import { json, startApi } from "../../support/api-server.ts";
import { bearer, makeKey } from "../../support/credentials.ts";
import { embeddedDoors, type DoorRequest } from "../../support/doors.ts";
import { openGateway, type Opened } from "../../support/gateways.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";

/** Rights that the program around a gateway gives to each request. */

const key = makeKey("web", { can: ["subscribe", "publish", "admin"] });

/** What the program knows of its users, whom it recognizes by a header. */
const users: Readonly<Record<string, AuthorizeResult>> = {
  ada: { subject: "ada", streams: ["s"], channels: ["user:ada"] },
  bob: { subject: "bob", can: ["subscribe", "publish"], channels: ["user:bob"], filter: "data.n > 1" },
  eve: { subject: "eve", can: [] },
  root: { subject: "root", can: ["subscribe", "publish", "proxy", "admin"] },
  late: { subject: "late", expiresAt: Date.now() - 1 },
};

const problems: Readonly<Record<string, unknown>> = {
  "throws": new Error("the database is down"),
  "throws 401": Object.assign(new Error("who are you?"), { statusCode: 401 }),
  "throws 403": Object.assign(new Error("not you"), { status: 403 }),
};

function decide(header: (name: string) => string | undefined): GrantDecision {
  const user = header("x-user") ?? "";
  if (user === "odd") return { can: ["everything"] } as unknown as AuthorizeResult;
  if (user in problems) throw problems[user];
  return user === "ada" ? Promise.resolve(users[user]) : users[user];
}

let opened: Opened | undefined;
afterEach(async () => {
  await opened?.close();
  opened = undefined;
});

describe.each(embeddedDoors)("through $name", (kind) => {
  async function open(config: Partial<GatewayConfig> = {}, change?: () => Partial<GatewayConfig>): Promise<Opened> {
    opened = await openGateway(
      "memory",
      kind,
      // What the gateway itself would allow to everybody.
      {
        streams: { s: {}, t: {} },
        access: { anonymous: ["subscribe", "publish", "admin"], keys: [key.config] },
        ...config,
      },
      change,
      { grant: decide },
    );
    return opened;
  }

  const request = (user: string, path: string, init: DoorRequest = {}): Promise<Response> =>
    opened!.door.request(path, { ...init, headers: { "x-user": user, ...init.headers } });
  const post = (user: string, path: string, body: unknown): Promise<Response> =>
    request(user, path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const subscribe = async (user: string, path = "/streams/s?after=earliest"): Promise<Reading> =>
    read(await request(user, path));
  const codeOf = async (response: Response): Promise<unknown[]> => [
    response.status,
    ((await response.json()) as { code: string }).code,
  ];

  test("a subscriber gets the streams, channels and events of the program's grant, and no others", async () => {
    const { gateway } = await open();
    await gateway.publish("s", { data: { n: 1 }, channel: "user:ada" });
    await gateway.publish("s", { data: { n: 1 }, channel: "user:bob" });
    await gateway.publish("s", { data: { n: 2 }, channel: "user:bob" });
    const [ada, bob] = [await subscribe("ada"), await subscribe("bob")];
    await ada.until(() => ada.data().length === 1);
    await bob.until(() => bob.data().length === 1);
    expect([ada.data(), bob.data()]).toEqual([['{"n":1}'], ['{"n":2}']]);
    expect(await codeOf(await request("ada", "/streams/t"))).toEqual([403, "access-denied"]);
    // A name that is not granted selects nothing.
    expect((await request("ada", "/streams/s?channels=user:bob")).status).toBe(403);
    const poll = await request("bob", "/streams/s?after=earliest", { headers: { accept: "application/json" } });
    expect(await poll.json()).toMatchObject({ events: [{ data: '{"n":2}' }] });
    for await (const client of gateway.stream("s").clients({ subject: "ada" }))
      expect(client).toMatchObject({ subject: "ada", filter: { channels: ["user:ada"] } });
    expect(gateway.subscribers("s")).toEqual({ total: 2, byChannel: { "user:ada": 1, "user:bob": 1 } });
    await Promise.all([ada.cancel(), bob.cancel()]);
  });

  test("publishing needs the right, in the channels of the grant", async () => {
    await open();
    expect(await codeOf(await post("ada", "/streams/s/events", { data: 1, channel: "user:ada" }))).toEqual([
      403,
      "access-denied",
    ]);
    expect((await post("bob", "/streams/s/events", { data: 1, channel: "user:bob" })).status).toBe(200);
    expect((await post("bob", "/streams/s/events", { data: 1, channel: "user:ada" })).status).toBe(403);
  });

  test("what the program does not grant is refused, whatever the gateway itself would allow", async () => {
    await open();
    for (const path of ["/streams/s", "/streams", "/status"])
      for (const user of ["", "eve"]) expect((await request(user, path)).status).toBe(403);
    const withKey = await opened!.door.request("/streams/s", { headers: bearer(key.key) });
    expect(await codeOf(withKey)).toEqual([403, "access-denied"]);
    expect(await codeOf(await request("late", "/streams/s"))).toEqual([401, "credential-expired"]);
    expect((await request("root", "/status")).status).toBe(200);
  });

  test("an error of the program refuses the request: 401 and 403 as it says, any other as 503", async () => {
    await open();
    const statuses = ["throws 401", "throws 403", "throws", "odd"].map(async (user) =>
      codeOf(await request(user, "/streams/s")),
    );
    expect(await Promise.all(statuses)).toEqual([
      [401, "credential-required"],
      [403, "access-denied"],
      [503, "authorize-unavailable"],
      [503, "authorize-unavailable"],
    ]);
  });

  test("a ticket has the rights of its holder, where the program knows nothing of the client", async () => {
    const { gateway } = await open();
    await gateway.publish("s", { data: "1", channel: "user:ada" });
    expect((await post("ada", "/tickets", { stream: "s", channels: ["user:bob"] })).status).toBe(403);
    expect((await post("eve", "/tickets", { stream: "s" })).status).toBe(403);
    const issued = await post("ada", "/tickets", { stream: "s", channels: ["user:ada"] });
    const { ticket } = (await issued.json()) as { ticket: string };
    const reading = read(await opened!.door.request(`/streams/s?after=earliest&ticket=${ticket}`));
    await reading.until(() => reading.data().length === 1);
    // The ticket counts, not the user.
    expect(await codeOf(await request("root", `/streams/t?ticket=${ticket}`))).toEqual([403, "access-denied"]);
    expect(await codeOf(await request("root", "/streams/s?ticket=spt_none"))).toEqual([401, "ticket-invalid"]);
    await reading.cancel();
  });

  test("a reload keeps the subscribers of the program", async () => {
    const { gateway } = await open({}, () => ({ access: { anonymous: [] } }));
    const reading = await subscribe("ada");
    await reading.until(({ events }) => events.length === 1);
    await gateway.reload();
    await gateway.publish("s", { data: "after", channel: "user:ada" });
    await reading.until(() => reading.data().includes("after"));
    await reading.cancel();
    await eventually(() => gateway.subscribers("s").total === 0);
  });

  test("a route forwards what the program grants", async () => {
    const target = await startApi(json("forwarded"));
    await open({ routes: { "/api/*": { upstream: { url: new URL(target.url).origin } } } });
    expect(await codeOf(await request("ada", "/api/x"))).toEqual([403, "access-denied"]);
    expect(await (await request("root", "/api/x")).json()).toBe("forwarded");
  });

  test("a page of another origin cannot use the user's cookies for a request without a preflight", async () => {
    const cors = { origins: ["https://app.example"] };
    await open({ access: { cors } });
    const forged = { "cookie": "session=1", "origin": "https://evil.example", "content-type": "text/plain" };
    const send = (headers: Record<string, string>): Promise<Response> =>
      request("root", "/admin/reload", { method: "POST", headers });
    expect(await codeOf(await send(forged))).toEqual([403, "origin-denied"]);
    // There is nothing to reload, but it was allowed.
    expect((await send({ ...forged, origin: "https://app.example" })).status).toBe(404);
    expect((await send({})).status).toBe(404);
  });
});
