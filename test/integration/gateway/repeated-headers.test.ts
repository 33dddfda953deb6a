import { afterAll, beforeAll, expect, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { jwtSecret, makeKey, makeToken } from "../../support/credentials.ts";
import { openRaw } from "../../support/raw-client.ts";

/** Anonymous clients may subscribe to everything, so a refusal is due to a wrong credential. */
const key = makeKey("reader", { can: ["subscribe"] });
const token = makeToken({ sub: "ada", spillway: { can: ["subscribe"] } });

let gateway: Gateway;
let port: number;

beforeAll(async () => {
  gateway = await createGateway({
    listen: "127.0.0.1:0",
    store: "memory:",
    access: { anonymous: ["subscribe"], keys: [key.config], jwt: { secret: jwtSecret }, cookie: "session" },
    streams: { s: {} },
  });
  ({ port } = await gateway.listen());
});

afterAll(() => gateway.close());

async function statusOf(packets: readonly string[]): Promise<string> {
  const { socket, all } = openRaw(port);
  for (const [i, packet] of packets.entries()) {
    if (i === packets.length - 1) socket.end(packet);
    else await new Promise((resolve) => socket.write(packet, resolve));
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  }
  return (await all()).slice(9, 12);
}

const good = `Bearer ${key.key}`;

/** Cookies are one list (RFC 6265 §5.4). If a credential is repeated, Node keeps the first. */
test.each<[name: string, lines: readonly string[], status: string]>([
  ["a wrong cookie behind another one", ["Cookie: a=1", "Cookie: session=wrong"], "401"],
  ["a good cookie behind another one", ["Cookie: a=1", `Cookie: session=${token}`, "Origin: http://localhost"], "200"],
  ["a good credential before a wrong one", [`Authorization: ${good}`, "Authorization: Bearer wrong"], "200"],
  ["a wrong credential before a good one", ["Authorization: Bearer wrong", `Authorization: ${good}`], "401"],
  ["the same in another case", ["authorization: Bearer wrong", `AUTHORIZATION: ${good}`], "401"],
])("%s means the same in one packet, two, or byte by byte", async (_, lines, status) => {
  const request = ["GET /streams/s HTTP/1.1", "Host: localhost", ...lines, "", ""].join("\r\n");
  for (const packets of [[request], [request.slice(0, 30), request.slice(30)], Array.from(request)])
    expect(await statusOf(packets)).toBe(status);
});
