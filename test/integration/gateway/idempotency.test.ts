import { afterEach, expect, test } from "vitest";
import { bearer, jwtSecret, makeKey, makeToken } from "../../support/credentials.ts";
import { doors } from "../../support/doors.ts";
import { openGateway, stores, type Opened } from "../../support/gateways.ts";

let opened: Opened;

afterEach(() => opened.close());

const [web, shop] = [makeKey("web", { can: ["publish"] }), makeKey("shop", { can: ["publish"] })];

/** Publishes with a key; resolves to the status, and whether the response was that of an earlier request. */
async function send(credential: string, data: string): Promise<[status: number, replayed: boolean]> {
  const response = await opened.door.request("/streams/s/events", {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": "order-1", ...bearer(credential) },
    body: JSON.stringify({ data }),
  });
  await response.text();
  return [response.status, response.headers.has("idempotency-replayed")];
}

test.each(stores)("a publisher can neither block nor discover another's Idempotency-Key over %s", async (store) => {
  const access = { keys: [web.config, shop.config], jwt: { secret: jwtSecret } };
  opened = await openGateway(store, doors[0]!, { streams: { s: {} }, access });
  const users = ["web", "alice"].map((sub) => makeToken({ sub, spillway: { can: ["publish"] } }));
  const credentials = [web.key, shop.key, ...users];
  for (const credential of credentials) expect(await send(credential, `of ${credential}`)).toEqual([200, false]);
  for (const credential of credentials) expect(await send(credential, `of ${credential}`)).toEqual([200, true]);
  for (const credential of credentials) expect(await send(credential, "other")).toEqual([422, false]);
  expect(opened.gateway.status()).toMatchObject({ streams: { s: { events: credentials.length } } });
});

test.each(stores)("a repeated publish of the library with an idempotencyKey appends once over %s", async (store) => {
  opened = await openGateway(store, doors[0]!, { streams: { s: {} }, access: { keys: [web.config] } });
  const { gateway } = opened;
  const events = [{ data: "a" }, { data: { b: 1 } }];
  const ids = await gateway.publish("s", events, { idempotencyKey: "order-1" });
  expect(await gateway.publish("s", events, { idempotencyKey: "order-1" })).toEqual(ids);
  await expect(gateway.publish("s", { data: "c" }, { idempotencyKey: "order-1" })).rejects.toMatchObject({
    code: "idempotency-conflict",
  });
  // An HTTP client's key is another one, and so is a call without.
  expect(await send(web.key, "d")).toEqual([200, false]);
  await gateway.publish("s", events);
  expect(gateway.status()).toMatchObject({ streams: { s: { events: 5 } } });
});
