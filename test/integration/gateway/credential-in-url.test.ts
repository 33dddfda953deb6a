import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bearer, jwtSecret, makeKey, makeToken } from "../../support/credentials.ts";
import { doors, type DoorRequest } from "../../support/doors.ts";
import { openGateway, type Opened } from "../../support/gateways.ts";
import { startServe } from "../cli/cli.ts";

const web = makeKey("web", { can: ["subscribe", "publish", "admin"] });
const token = makeToken({ sub: "ada" });
const secret = "long-lived-secret-of-a-user";

const parameters = [
  "jwt",
  "token",
  "access_token",
  "api_key",
  "apikey",
  "api-key",
  "key",
  "x-api-key",
  "authorization",
  "Access_Token",
  "JWT",
];

/** Variants of a request with the same response. */
const requests: ReadonlyArray<readonly [title: string, path: string, request: DoorRequest]> = [
  ["nothing else", "/streams/s", {}],
  ["a good key as well", "/streams/s", { headers: bearer(web.key) }],
  ["a wrong key as well", "/streams/s", { headers: { "x-api-key": "wrong" } }],
  ["a stream that does not exist", "/streams/none", {}],
  ["an event to publish", "/streams/s/events", { method: "POST", body: "{}" }],
  ["a method that is not allowed", "/streams/s", { method: "PUT" }],
  ["a path that is for everyone", "/healthz", {}],
  ["the default stream", "/api/sse", {}],
  ["an administrator's path", "/status", { headers: bearer(web.key) }],
  ["a request for a ticket", "/tickets", { method: "POST", headers: bearer(web.key), body: '{"stream":"s"}' }],
];

const message =
  "a key or token must not be in a URL: send it as a header, or get a ticket with it (POST /tickets) and send ?ticket=";

describe.each(doors)("through $name", (kind) => {
  let opened: Opened;
  beforeAll(async () => {
    const access = { anonymous: ["subscribe"] as const, keys: [web.config], jwt: { secret: jwtSecret } };
    opened = await openGateway("memory", kind, { streams: { s: {} }, access });
  });
  afterAll(() => opened.close());

  test.each(requests)("a long-lived credential in the query gets the same 400 with %s", async (_, path, request) => {
    for (const name of parameters) {
      const response = await opened.door.request(`${path}?after=now&${name}=${secret}`, request);
      const text = await response.text();
      expect([name, response.status]).toEqual([name, 400]);
      expect(JSON.parse(text)).toEqual({
        type: "about:blank",
        title: "a long-lived credential must not be in a URL",
        status: 400,
        code: "credential-in-url",
        detail: message,
        field: name,
      });
    }
  });

  test.each([
    ["a key of the gateway", `x=${web.key}`],
    ["a key of the gateway in the place of a ticket", `ticket=${web.key}`],
    ["a key of the gateway as a name", web.key],
    ["a token", `session=${token}`],
    ["a token in the place of a ticket", `ticket=${token}`],
    ["a token as a name", token],
  ])("%s is refused whatever the parameter's name, and is not repeated in the response", async (_, query) => {
    const response = await opened.door.request(`/streams/s?${query}`, { headers: bearer(web.key) });
    const text = await response.text();
    expect([response.status, (JSON.parse(text) as { code: string }).code]).toEqual([400, "credential-in-url"]);
    for (const shown of [web.key, token]) expect(text).not.toContain(shown.slice(4));
  });

  test("names of channels, types and cursors may equal the names of such parameters", async () => {
    for (const query of ["channels=token,jwt,key", "events=api_key", "channels=eyJ.eyJ", "last-event-id=key.1"]) {
      const response = await opened.door.request(`/streams/s?${query}`, { method: "HEAD" });
      expect([query, response.status]).toEqual([query, 200]);
    }
  });
});

test("no log line contains the credential", async () => {
  const cli = await startServe(["--stream", "s", "--store", "memory:"], { env: { LOG_LEVEL: "debug" } });
  for (const name of parameters) await (await fetch(`${cli.url}/streams/s?${name}=${secret}`)).text();
  cli.child.kill("SIGTERM");
  const { stdout, stderr } = await cli.result;
  expect(stdout + stderr).not.toContain(secret);
});
