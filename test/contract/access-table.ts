import type { AccessConfig } from "spillway";
import { bearer, jwtSecret, makeKey, makeToken, makeUnsignedToken, secondsFromNow } from "../support/credentials.ts";
import type { Credential, Route } from "../support/probe.ts";

/** What the probe asks for, and what it shows: streams `prices`, which is the default, and `orders`. */

const [sse, ndjson, json] = ["text/event-stream", "application/x-ndjson", "application/json"];
const subscribe = { method: "GET", needs: "subscribe", of: "prices", accept: sse, ok: 200 } as const;
const publish = { method: "POST", needs: "publish", of: "prices", ok: 200 } as const;
const administer = { needs: "admin", of: "every stream", ok: 200 } as const;
const everyones = { method: "GET", needs: undefined, of: "no stream", ok: 200 } as const;

export const routes: readonly Route[] = [
  { ...subscribe, path: "/streams/prices" },
  { ...subscribe, path: "/streams/prices?after=earliest" },
  { ...subscribe, path: "/streams/prices?last=2", accept: ndjson },
  { ...subscribe, path: "/streams/prices?after=earliest", accept: ndjson },
  { ...subscribe, path: "/streams/prices?after=earliest", accept: json },
  { ...subscribe, path: "/streams/prices?wait=0", accept: json },
  { ...subscribe, path: "/streams/prices/user:ada", channel: "user:ada" },
  { ...subscribe, path: "/streams/prices/btc", channel: "btc" },
  { ...subscribe, path: "/streams/prices?channels=user:ada,btc&last=1", accept: json, channel: "btc" },
  { ...subscribe, path: "/streams/orders", of: "orders" },
  { ...subscribe, path: "/streams/orders?after=earliest", of: "orders", accept: json },
  { ...subscribe, path: "/api/sse" },
  { ...subscribe, path: "/events/user:ada", channel: "user:ada" },
  { ...subscribe, method: "HEAD", path: "/streams/prices" },
  { ...subscribe, method: "HEAD", path: "/streams/orders", of: "orders", accept: json },
  { ...subscribe, path: "/api/status" },
  { ...subscribe, path: "/api/metrics" },
  { ...subscribe, path: "/streams", of: "any stream" },
  { ...subscribe, method: "HEAD", path: "/streams", of: "any stream" },
  {
    ...subscribe,
    method: "POST",
    path: "/tickets",
    of: "prices",
    body: '{"stream":"prices"}',
    ok: 201,
    makesTicket: true,
  },
  { ...publish, path: "/streams/prices/events", body: '{"data":1,"channel":"user:ada"}', channel: "user:ada" },
  { ...publish, path: "/streams/prices/events", body: '{"data":1}', channel: null },
  { ...publish, path: "/streams/orders/events", of: "orders", body: '{"data":1,"channel":"btc"}', channel: "btc" },
  { ...publish, path: "/publish", body: '"to everyone"', channel: null },
  { ...administer, method: "GET", path: "/metrics" },
  { ...administer, method: "HEAD", path: "/metrics" },
  { ...administer, method: "DELETE", path: "/admin/subscribers?subject=nobody" },
  { ...administer, method: "GET", path: "/admin/subscribers" },
  {
    ...administer,
    method: "POST",
    path: "/admin/subscribers/nobody/events",
    body: '{"data":1}',
    ok: 404,
    code: "client-unknown",
  },
  // Who may reload hears that these gateways have no file to read.
  { ...administer, method: "POST", path: "/admin/reload", ok: 404, code: "not-found" },
  { ...administer, method: "GET", path: "/status", of: "any stream" },
  { ...everyones, path: "/" },
  { ...everyones, path: "/health" },
  { ...everyones, path: "/healthz" },
  { ...everyones, method: "HEAD", path: "/healthz" },
  { ...everyones, path: "/readyz" },
  { ...everyones, method: "OPTIONS", path: "/streams/prices", ok: 204 },
  { ...everyones, method: "OPTIONS", path: "/admin/reload", ok: 204 },
  { ...everyones, method: "DELETE", path: "/streams/prices", ok: 405, code: "method-not-allowed" },
  { ...everyones, method: "GET", path: "/tickets", ok: 405, code: "method-not-allowed" },
  { ...everyones, method: "GET", path: "/streams-of-others", ok: 404, code: "not-found", isForeign: true },
];

const everything = ["subscribe", "publish", "admin"] as const;
/** The keys that are configured. */
const keys = {
  reader: makeKey("reader", { can: ["subscribe"] }),
  writer: makeKey("writer", { can: ["publish"] }),
  admin: makeKey("admin", { can: ["admin"] }),
  adminOfOne: makeKey("admin-of-one", { can: ["admin"], streams: ["prices"] }),
  all: makeKey("all", { can: everything }),
  ofOrders: makeKey("of-orders", { can: ["subscribe", "publish"], streams: ["ord*"] }),
  ofUsers: makeKey("of-users", { can: ["subscribe", "publish"], channels: ["user:*"] }),
  expired: makeKey("expired", { can: everything, expires: "2026-01-01T00:00:00Z" }),
};
/** A key that may do everything. */
export const allKey: string = keys.all.key;
const unknownKey = makeKey("unknown", {}).key;
const claims = { sub: "ada", spillway: { can: [...everything] } };
const inTime = makeToken({ ...claims, exp: secondsFromNow(3600) });
const narrow = makeToken({ spillway: { can: ["subscribe"], streams: ["prices"], channels: ["user:*"] } });
const [allowed, stranger] = [{ origin: "https://app.example" }, { origin: "https://evil.example" }];

const invalid = [401, "credential-invalid"] as const;
const expired = [401, "credential-expired"] as const;
const noTicket = [401, "ticket-invalid"] as const;

/** What is shown, and what it brings: a grant, or this refusal of whatever needs a right. */
export const credentials: readonly Credential[] = [
  { title: "an unknown key", headers: bearer(unknownKey), refused: invalid },
  { title: "an unknown key in X-API-Key", headers: { "x-api-key": unknownKey }, refused: invalid },
  { title: "an X-API-Key that is not a key", headers: { "x-api-key": "hunter2" }, refused: invalid },
  { title: "an empty bearer", headers: { authorization: "Bearer" }, refused: invalid },
  { title: "another scheme", headers: { authorization: "Basic aHVudGVyMjpodW50ZXIy" }, refused: invalid },
  { title: "a malformed Authorization", headers: { authorization: "?hunter2 ,," }, refused: invalid },
  {
    title: "a wrong Authorization together with a valid X-API-Key",
    headers: { ...bearer(unknownKey), "x-api-key": keys.all.key },
    refused: invalid,
  },
  { title: "a key to subscribe", headers: bearer(keys.reader.key), grant: { can: ["subscribe"] } },
  { title: "a key to publish", headers: bearer(keys.writer.key), grant: { can: ["publish"] } },
  { title: "a key to administer", headers: bearer(keys.admin.key), grant: { can: ["admin"] } },
  {
    title: "a key to administer one stream",
    headers: bearer(keys.adminOfOne.key),
    grant: { can: ["admin"], streams: ["prices"] },
  },
  { title: "a key with all rights in X-API-Key", headers: { "x-api-key": keys.all.key }, grant: { can: everything } },
  {
    title: "a key for another stream",
    headers: bearer(keys.ofOrders.key),
    grant: { can: ["subscribe", "publish"], streams: ["orders"] },
  },
  {
    title: "a key for channels",
    headers: bearer(keys.ofUsers.key),
    grant: { can: ["subscribe", "publish"], channels: ["user:ada"] },
  },
  { title: "an expired key", headers: bearer(keys.expired.key), refused: expired },
  { title: "a key in the URL", query: `key=${keys.all.key}`, refused: [400, "credential-in-url"] },
  { title: "a token in the URL", query: `access_token=${inTime}`, refused: [400, "credential-in-url"] },
  {
    title: "a key in the URL together with a valid header",
    query: `x=${unknownKey}`,
    headers: bearer(keys.all.key),
    refused: [400, "credential-in-url"],
  },
  { title: "a token", headers: bearer(inTime), grant: { can: everything } },
  {
    title: "a token for a stream and channels",
    headers: bearer(narrow),
    grant: { can: ["subscribe"], streams: ["prices"], channels: ["user:ada"] },
  },
  { title: "a token without a claim of rights", headers: bearer(makeToken({ sub: "ada" })), grant: { can: [] } },
  {
    title: "an expired token",
    headers: bearer(makeToken({ ...claims, exp: secondsFromNow(-60) })),
    refused: expired,
  },
  {
    title: "a token signed with another secret",
    headers: bearer(makeToken(claims, "another secret 0123456789 0123456789")),
    refused: invalid,
  },
  { title: "a token with alg none", headers: bearer(makeUnsignedToken(claims)), refused: invalid },
  { title: "a token in X-API-Key", headers: { "x-api-key": inTime }, refused: invalid },
  {
    title: "a ticket",
    ticketFor: '{"stream":"prices"}',
    grant: { can: ["subscribe"], streams: ["prices"] },
    isTicket: true,
  },
  {
    title: "a ticket for another stream",
    ticketFor: '{"stream":"orders"}',
    grant: { can: ["subscribe"], streams: ["orders"] },
    isTicket: true,
  },
  {
    title: "a ticket for a channel",
    ticketFor: '{"stream":"prices","channels":["user:ada"]}',
    grant: { can: ["subscribe"], streams: ["prices"], channels: ["user:ada"] },
    isTicket: true,
  },
  { title: "a forged ticket", query: `ticket=spt_${unknownKey.slice(4)}`, refused: noTicket },
  { title: "an empty ticket", query: "ticket=", refused: noTicket },
  { title: "a ticket in Authorization", ticketFor: '{"stream":"prices"}', ticketInHeader: true, refused: invalid },
  {
    title: "a cookie from an allowed origin",
    headers: { cookie: `a=b; session=${inTime}`, ...allowed },
    grant: { can: everything },
  },
  {
    title: "a cookie from another origin",
    headers: { cookie: `session=${inTime}`, ...stranger },
    refused: [403, "origin-denied"],
  },
  {
    title: "a cookie without an origin",
    headers: { cookie: `session=${inTime}` },
    grant: { can: everything },
    refusedUnlessReading: [403, "origin-denied"],
  },
  { title: "a wrong cookie", headers: { cookie: "session=hunter2", ...allowed }, refused: invalid },
  { title: "another cookie", headers: { cookie: "theme=hunter2", ...stranger }, none: true },
];

/** What the gateways know. */
export const access: AccessConfig = {
  keys: Object.values(keys).map(({ config }) => config),
  jwt: { secret: jwtSecret },
  cookie: "session",
  cors: { origins: [allowed.origin], credentials: true },
};

/** What the service says by the user that asks. */
export const verdicts: Readonly<Record<string, string>> = {
  reader: '{"subject":"reader","can":["subscribe"]}',
  scoped: '{"can":["subscribe","publish"],"streams":["prices"],"channels":["user:ada"]}',
  late: '{"can":["subscribe"],"expiresAt":"2026-01-01T00:00:00Z"}',
  vague: '{"can":["subscribe"],"stream":["prices"]}',
  stranger: "401",
  banned: "403",
  failing: "500",
};
const user = (name: string): Record<string, string> => ({ authorization: `User ${name}` });
const unavailable = [503, "authorize-unavailable"] as const;

/** What is shown to a gateway that asks the service. */
export const ofService: readonly Credential[] = [
  { title: "a client that the service lets subscribe", headers: user("reader"), grant: { can: ["subscribe"] } },
  {
    title: "a client that the service restricts",
    headers: user("scoped"),
    grant: { can: ["subscribe", "publish"], streams: ["prices"], channels: ["user:ada"] },
  },
  { title: "a client that the service no longer knows", headers: user("late"), refused: expired },
  { title: "a client that the service does not know", headers: user("stranger"), refused: invalid },
  { title: "a client that the service refuses", headers: user("banned"), refused: [403, "access-denied"] },
  { title: "a client for which the service fails", headers: user("failing"), refused: unavailable },
  { title: "a client for which the service's answer is invalid", headers: user("vague"), refused: unavailable },
  { title: "a client without a credential that the service refuses", refused: [403, "access-denied"] },
  {
    title: "a client with a key, for which the service is not asked",
    headers: bearer(keys.reader.key),
    grant: { can: ["subscribe"] },
  },
  {
    title: "a client with an unknown key, for which the service is not asked",
    headers: bearer(unknownKey),
    refused: invalid,
  },
  {
    title: "a client with a forged ticket, for which the service is not asked",
    query: "ticket=spt_x",
    refused: noTicket,
  },
];
