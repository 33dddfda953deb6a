import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AuthorizeConfig } from "spillway";
import { doors, type Door, type DoorKind } from "../../support/doors.ts";
import { openGateway } from "../../support/gateways.ts";
import { portOf } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";

/** The user's service: accepts `User good`, refuses `User bad`, and does not answer other requests, or any while it hangs. */
let service: Server;
let asked: string[];
let hangs: boolean;
let refuses: boolean;
const held: ServerResponse[] = [];
const cleanUps: Array<() => Promise<unknown>> = [];

beforeEach(async () => {
  asked = [];
  [hangs, refuses] = [false, false];
  service = createServer((request, response) => {
    const { authorization = "" } = request.headers;
    asked.push(authorization);
    request.resume();
    if (hangs || !/^User (good|bad)/.test(authorization)) held.push(response);
    else response.writeHead(authorization.startsWith("User good") && !refuses ? 200 : 403).end('{"can":["subscribe"]}');
  }).listen(0, "127.0.0.1");
  await once(service, "listening");
});

afterEach(async () => {
  for (const response of held.splice(0)) response.destroy();
  service.closeAllConnections();
  service.close();
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function open(kind: DoorKind, authorize: Partial<AuthorizeConfig>): Promise<Door> {
  const { door, close } = await openGateway("memory", kind, {
    streams: { s: {} },
    trustProxy: ["127.0.0.0/8"],
    access: { authorize: { url: `http://127.0.0.1:${portOf(service)}/`, ...authorize } },
  });
  cleanUps.push(close);
  return door;
}

/** The status of a request from an address. */
async function statusOf(door: Door, who: string, address: string, path = "/streams/s"): Promise<number> {
  const headers = { "authorization": `User ${who}`, "x-forwarded-for": address };
  const response = await door.request(path, { method: "HEAD", headers }).catch(() => undefined);
  return response?.status ?? 0;
}

// Fetch knows no address; its own server with TLS speaks the HTTP/2 of another door.
const withAddress = doors.filter(({ name, config }) => name !== "fetch" && !config);

describe.each(withAddress)("through $name", (kind) => {
  test("while one address requests 1,200 made-up paths, another one is always answered", async () => {
    const door = await open(kind, { timeout: "60s", cache: "0s" });
    const flood = Array.from({ length: 1200 }, (_, n) =>
      statusOf(door, "flood", "203.0.113.9", `/streams/made-up-${n}`),
    );
    // Those that neither fit into the service nor may wait.
    const refused = flood.map(async (status) => ((await status) === 429 ? 1 : 0));
    let count = 0;
    for (const one of refused) void one.then((refusals) => (count += refusals));
    await eventually(() => count > 0 && held.length === 64, "the flood at its bounds");
    const good = await Promise.all(Array.from({ length: 8 }, (_, n) => statusOf(door, "good", `198.51.100.${n}`)));
    expect(good).toEqual(Array.from({ length: 8 }, () => 200));
    await eventually(() => count === 1200 - 64 - 1000, "an answer to all that do not wait");
    expect(asked.filter((who) => who === "User flood")).toHaveLength(64);
  });

  test("a client with a cached answer is served, also at the address of the flood", async () => {
    const door = await open(kind, { timeout: "60s", cache: "1h" });
    expect(await statusOf(door, "good", "203.0.113.9")).toBe(200);
    for (let n = 0; n < 200; n++) void statusOf(door, "flood", "203.0.113.9", `/streams/made-up-${n}`);
    await eventually(() => held.length === 64, "the flood at its bounds");
    expect(await statusOf(door, "good", "203.0.113.9")).toBe(200);
  });

  test("while the service does not answer, known clients are served until it refuses them, and new clients are not", async () => {
    const door = await open(kind, { timeout: "1s", cache: "1ms", stale: "1h" });
    expect(await statusOf(door, "good", "198.51.100.1")).toBe(200);
    hangs = true;
    await eventually(async () => (await statusOf(door, "good", "198.51.100.1")) !== 200 || asked.length > 1);
    expect(await statusOf(door, "good", "198.51.100.1")).toBe(200);
    expect(await statusOf(door, "good too", "198.51.100.1")).toBe(503);
    [hangs, refuses] = [false, true];
    await eventually(async () => (await statusOf(door, "good", "198.51.100.1")) === 403);
    hangs = true;
    await eventually(async () => (await statusOf(door, "good", "198.51.100.1")) === 503);
  });

  test("without stale, nobody is served once the answer has expired", async () => {
    const door = await open(kind, { timeout: "1s", cache: "1ms", stale: "0s" });
    expect(await statusOf(door, "good", "198.51.100.1")).toBe(200);
    hangs = true;
    await eventually(async () => (await statusOf(door, "good", "198.51.100.1")) === 503);
  });
});
