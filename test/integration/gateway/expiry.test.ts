import { createServer } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { AccessConfig, CloseReason, GatewayConfig } from "spillway";
import { bearer, jwtSecret, makeKey, makeToken, secondsFromNow } from "../../support/credentials.ts";
import { doors, leastDoors, type Door, type DoorKind } from "../../support/doors.ts";
import { openGateway, type Opened } from "../../support/gateways.ts";
import { portOf } from "../../support/ports.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";

const web = makeKey("web", { can: ["subscribe"] });
const other = makeKey("other", { can: ["subscribe"] });
const admin = makeKey("admin", { can: ["admin"] });
const access: AccessConfig = {
  // So that it would show if somebody fell back to it.
  anonymous: ["subscribe"],
  keys: [web.config, other.config, admin.config],
  jwt: { secret: jwtSecret, clockTolerance: "0s" },
};
/** More than kernels and clients buffer of a response that is not read. */
const many = { events: 400, data: "x".repeat(64 * 1024) };

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

async function subscribe(
  door: Door,
  credential: string,
  path = "/streams/s",
  accept = "text/event-stream",
): Promise<Response> {
  const response = await door.request(path, { headers: { ...bearer(credential), accept } });
  expect(response.status).toBe(200);
  return response;
}

async function follow(door: Door, credential: string, path?: string): Promise<Reading> {
  const reading = read(await subscribe(door, credential, path));
  cleanUps.push(() => reading.cancel().catch(() => undefined));
  return reading.until(({ events }) => events.length > 0);
}

const poll = async (door: Door, credential: string): Promise<unknown> =>
  (await subscribe(door, credential, "/streams/s?wait=50", "application/json")).json();

const ended = (door: Door, query: string): Promise<Response> =>
  door.request(`/admin/subscribers?${query}`, { method: "DELETE", headers: bearer(admin.key) });

async function publishMany({ gateway }: Opened): Promise<void> {
  for (let n = 0; n < many.events; n++) await gateway.publish("s", { data: `${n}:${many.data}` });
}

const untilEnded = (reading: Reading): Promise<void> => eventually(() => reading.ended, "the end of the response");

const closedBy = ({ gateway }: Opened, reason: CloseReason): number => gateway.status().streams["s"]!.closed[reason];

/** Checks that it has ended with this reason, and that nothing followed. */
async function expectBye(reading: Reading, reason: string): Promise<void> {
  await untilEnded(reading);
  expect(reading.controls("spillway.bye")).toEqual([{ reason, retry: expect.any(Number) }]);
  expect(reading.events.at(-1)!.event).toBe("spillway.bye");
}

describe.each(leastDoors)("through $name", (kind) => {
  test("a stream that was opened with a token ends when the token expires, and the token opens no more streams", async () => {
    const opened = await open(kind);
    const { door, gateway } = opened;
    await gateway.publish("s", { data: "0" });
    const token = makeToken({ sub: "ada", exp: secondsFromNow(4), spillway: {} });
    const [reading, replayed] = [await follow(door, token), await follow(door, token, "/streams/s?after=earliest")];
    const lines = (await subscribe(door, token, "/streams/s", "application/x-ndjson")).text();
    const polled = poll(door, token);
    const staying = await follow(door, web.key);
    await gateway.publish("t", { data: "1" });
    await Promise.all([expectBye(reading, "token-expired"), expectBye(replayed, "token-expired")]);
    expect(reading.data()).toEqual([]);
    expect(replayed.data()).toEqual(["0"]);
    const last = JSON.parse((await lines).trimEnd().split("\n").at(-1)!) as { event: string; data: string };
    expect(last).toMatchObject({ id: null, event: "spillway.bye" });
    expect(JSON.parse(last.data)).toMatchObject({ reason: "token-expired" });
    expect(await polled).toMatchObject({ events: [], gap: null });

    for (const accept of ["text/event-stream", "application/json"]) {
      const response = await door.request("/streams/s", { headers: { ...bearer(token), accept } });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ code: "credential-expired" });
    }
    await gateway.publish("s", { data: "2" });
    await staying.until(() => staying.data().length === 1);
    expect(closedBy(opened, "token-expired")).toBe(3);
  });

  test("a token that expires during a replay ends it at that point, without a gap", async () => {
    const opened = await open(kind);
    await publishMany(opened);
    const token = makeToken({ exp: secondsFromNow(3), spillway: {} });
    // Nobody reads it, so that the replay is under way until then.
    const response = await subscribe(opened.door, token, "/streams/s?after=earliest");
    await eventually(() => closedBy(opened, "token-expired") === 1, "the end of the token");
    const reading = read(response);
    await expectBye(reading, "token-expired");
    const numbers = reading.data().map((data) => Number(data.split(":")[0]));
    expect(numbers.length).toBeGreaterThan(0);
    expect(numbers.length).toBeLessThan(many.events);
    expect(numbers).toEqual(numbers.map((_, n) => n));
  });

  test("an admin ends the subscriptions of a subject, for all streams or one, and no others", async () => {
    const { door, gateway } = await open(kind);
    const mine = [await follow(door, web.key), await follow(door, web.key), await follow(door, web.key, "/streams/t")];
    const polled = poll(door, web.key);
    const others = [await follow(door, other.key), await follow(door, other.key, "/streams/t")];
    const ends = async (query: string): Promise<unknown> => (await ended(door, query)).json();
    expect(await ends("subject=key:web&stream=t")).toEqual({ ended: 1 });
    await expectBye(mine[2]!, "revoked");
    expect(await ends("subject=key:web&stream=unknown")).toEqual({ ended: 0 });
    expect(await ends("subject=key:we*")).toEqual({ ended: 0 });
    expect(await ends("subject=key:web")).toEqual({ ended: 3 });
    await Promise.all(mine.slice(0, 2).map((reading) => expectBye(reading, "revoked")));
    expect(await polled).toMatchObject({ events: [] });
    for (const stream of ["s", "t"]) await gateway.publish(stream, { data: "1" });
    for (const reading of others) await reading.until(() => reading.data().length === 1);
    // The credential still counts.
    await follow(door, web.key);
    const response = await ended(door, "stream=s");
    expect(await response.json()).toMatchObject({ status: 400, field: "subject" });
  });

  test("a reload ends subscriptions that are no longer granted, and leaves the others alone", async () => {
    let keys: AccessConfig["keys"] = [web.config, other.config, admin.config];
    const opened = await open(kind, {}, () => ({ access: { ...access, keys } }));
    const { door, gateway } = opened;
    const [gone, polled] = [await follow(door, web.key), poll(door, web.key)];
    const [kept, narrowed] = [await follow(door, other.key, "/streams/t"), await follow(door, other.key)];
    const stranger = read(await door.request("/streams/s", { headers: { accept: "text/event-stream" } }));
    await stranger.until(({ events }) => events.length > 0);
    keys = [{ ...other.config, streams: ["t"] }, admin.config];
    await gateway.reload();
    await Promise.all([expectBye(gone, "revoked"), expectBye(narrowed, "revoked")]);
    expect(await polled).toMatchObject({ events: [] });
    for (const stream of ["s", "t"]) await gateway.publish(stream, { data: "1" });
    for (const reading of [kept, stranger]) await reading.until(() => reading.data().length === 1);
    for (const [key, status] of [
      [web, 401],
      [other, 403],
    ] as const) {
      expect((await door.request("/streams/s", { headers: bearer(key.key) })).status).toBe(status);
    }
    await stranger.cancel();
  });

  test("a client whose grant is revoked while it waits for its replay gets no event", async () => {
    let keys: AccessConfig["keys"] = [web.config, other.config];
    const limits = { replays: 1, replayWait: "50s" };
    const opened = await open(kind, { limits }, () => ({ limits, access: { ...access, keys } }));
    await publishMany(opened);
    const first = await subscribe(opened.door, other.key, "/streams/s?after=earliest");
    const waiting = subscribe(opened.door, web.key, "/streams/s?after=earliest");
    // Its turn comes when the first one leaves, which is after both requests were answered.
    await eventually(async () => {
      const response = await opened.door.request("/streams/s?after=earliest", { headers: bearer(other.key) });
      await response.body?.cancel();
      return response.status === 503;
    }, "somebody waiting");
    keys = [other.config];
    await opened.gateway.reload();
    await first.body!.cancel();
    const reading = read(await waiting);
    await expectBye(reading, "revoked");
    expect(reading.data()).toEqual([]);
  });
});

test("a reader that reads nothing is disconnected some seconds after its credential is revoked", async () => {
  const opened = await open(doors[0]!, { limits: { stall: "1h" } });
  await publishMany(opened);
  const server = createServer(opened.gateway.node()).listen(0, "127.0.0.1");
  cleanUps.push(() => void server.close());
  await eventually(() => server.listening);
  const socket = connect(portOf(server), "127.0.0.1")
    .on("error", () => {})
    .pause();
  cleanUps.push(() => void socket.destroy());
  socket.write(`GET /streams/s?after=earliest HTTP/1.1\r\nHost: x\r\nX-API-Key: ${web.key}\r\n\r\n`);
  const connections = (): Promise<number> =>
    new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))));
  await eventually(async () => (await connections()) === 1, "the connection");
  await eventually(
    async () => ((await (await ended(opened.door, "subject=key:web")).json()) as { ended: number }).ended === 1,
  );
  await eventually(async () => (await connections()) === 0, "the end of the connection");
});
