import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import type { GatewayConfig } from "spillway";
import { bearer, makeKey } from "../../support/credentials.ts";
import { doors } from "../../support/doors.ts";
import { openGateway, type Opened } from "../../support/gateways.ts";
import { startServe } from "../cli/cli.ts";

const web = makeKey("web", { can: ["subscribe", "publish"] });
const own = doors.find(({ name }) => name === "its own server")!;
const tls = doors.find(({ name }) => name === "its own server with TLS")!;

const cleanUps: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

interface Asked {
  readonly host?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Answer {
  readonly status: number;
  /** For a refusal. */
  readonly problem: { readonly code?: string };
}

/** Sends a request that fetch would not: with any `Host`. */
async function send(port: number, { host, path = "/streams/s", method = "GET", headers }: Asked): Promise<Answer> {
  const sent = { ...headers, ...(host !== undefined && { host }), "content-type": "application/json" };
  const request = httpRequest({ host: "127.0.0.1", port, path, method, headers: sent, agent: false });
  request.end(method === "POST" ? '{"data":"1"}' : undefined);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const { statusCode: status = 0 } = response;
  if (status === 200) {
    response.destroy();
    return { status, problem: {} };
  }
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { status, problem: JSON.parse(text) as Answer["problem"] };
}

/** The status, and the code of a refusal. */
async function ask(port: number, asked: Asked): Promise<string> {
  const { status, problem } = await send(port, asked);
  return `${status} ${problem.code ?? ""}`.trim();
}

async function open(config: Partial<GatewayConfig> = {}): Promise<Opened & { readonly port: number }> {
  const opened = await openGateway("memory", own, { streams: { s: {} }, hosts: undefined, ...config });
  cleanUps.push(opened.close);
  return { ...opened, port: (await opened.gateway.listen()).port };
}

const known = [
  "localhost",
  "LOCALHOST:1",
  "localhost.",
  "feed.localhost:8080",
  "127.0.0.1",
  "127.9.9.9:80",
  "[::1]:8080",
];
const foreign = [
  "evil.example",
  "evil.example:8080",
  "localhost.evil.example",
  "127.0.0.1.evil.example",
  "evil-localhost",
  "10.0.0.1",
  "x",
  "[2001:db8::1]",
];

test("on loopback, if anonymous clients have rights, only loopback names are accepted", async () => {
  const { port } = await open();
  for (const host of known) expect([host, await ask(port, { host })]).toEqual([host, "200"]);
  for (const host of foreign) {
    expect([host, await ask(port, { host })]).toEqual([host, "421 host-denied"]);
    for (const path of ["/", "/streams", "/status", "/made-up", "/streams/s?token=x"]) {
      expect(await ask(port, { host, path })).toBe("421 host-denied");
    }
    expect(await ask(port, { host, method: "POST", path: "/streams/s/events" })).toBe("421 host-denied");
    expect(await ask(port, { host, path: "/healthz" })).toBe("200");
  }
});

test("the refusal names the setting", async () => {
  const { port } = await open();
  const { problem } = await send(port, { host: "feed.example" });
  expect(problem).toMatchObject({
    code: "host-denied",
    field: "Host",
    got: "feed.example",
    detail: expect.stringContaining("hosts") as string,
  });
});

test("hosts adds further names, also by pattern, and is checked wherever it is set", async () => {
  const { port } = await open({ hosts: ["Feed.example", "*.feeds.example"], access: { keys: [web.config] } });
  const headers = bearer(web.key);
  for (const host of ["feed.example", "FEED.EXAMPLE:443", "a.feeds.example", ...known]) {
    expect([host, await ask(port, { host, headers })]).toEqual([host, "200"]);
  }
  for (const host of ["feeds.example", "a.feed.example", ...foreign]) {
    expect([host, await ask(port, { host, headers })]).toEqual([host, "421 host-denied"]);
  }
  const any = await open({ hosts: ["*"] });
  for (const host of foreign) expect(await ask(any.port, { host })).toBe("200");
});

test("if anonymous clients have no rights, or a trusted proxy asks, any name is accepted", async () => {
  const closed = await open({ access: { keys: [web.config] } });
  const proxied = await open({ trustProxy: ["127.0.0.1"] });
  for (const host of foreign) {
    expect(await ask(closed.port, { host, headers: bearer(web.key) })).toBe("200");
    expect(await ask(closed.port, { host })).toBe("401 credential-required");
    expect(await ask(proxied.port, { host })).toBe("200");
  }
});

test("on loopback, pages of other origins cannot change anything; those of loopback and of allowed origins can", async () => {
  const { port } = await open({
    hosts: ["feed.example"],
    access: { anonymous: ["publish"], cors: { origins: ["https://app.example"] } },
  });
  const publish = (origin?: string): Promise<string> =>
    ask(port, { method: "POST", path: "/streams/s/events", headers: origin === undefined ? {} : { origin } });
  for (const origin of [
    "http://localhost:3000",
    "http://127.0.0.1:8080",
    "https://app.example",
    "http://feed.example",
  ]) {
    expect([origin, await publish(origin)]).toEqual([origin, "200"]);
  }
  expect(await publish()).toBe("200");
  for (const origin of [
    "https://evil.example",
    "https://app.example.evil.example",
    "null",
    "http://localhost.evil.example",
  ]) {
    expect([origin, await publish(origin)]).toEqual([origin, "403 origin-denied"]);
  }
});

test("over HTTP/2 the name is that of :authority", async () => {
  const opened = await openGateway("memory", tls, { streams: { s: {} }, hosts: undefined });
  cleanUps.push(opened.close);
  const statusOf = async (authority: string): Promise<number> => {
    const response = await opened.door.request("/streams/s", { method: "HEAD", headers: { ":authority": authority } });
    return response.status;
  };
  expect(await statusOf("localhost:443")).toBe(200);
  expect(await statusOf("evil.example")).toBe(421);
});

describe.each(doors.filter(({ name }) => !name.startsWith("its own server")))("a gateway mounted in $name", (kind) => {
  test("leaves the check to the surrounding server", async () => {
    const opened = await openGateway("memory", kind, { streams: { s: {} }, hosts: undefined });
    cleanUps.push(opened.close);
    const headers = { "origin": "https://evil.example", "content-type": "application/json" };
    const response = await opened.door.request("/streams/s/events", { method: "POST", headers, body: '{"data":"1"}' });
    expect(response.status).toBe(200);
  });
});

test("spillway serve without any access section refuses names that are not loopback's", async () => {
  const cli = await startServe(["--stream", "s", "--store", "memory:"]);
  cleanUps.push(async () => {
    cli.child.kill("SIGTERM");
    await cli.result;
  });
  const port = Number(new URL(cli.url).port);
  expect(await ask(port, { host: `localhost:${port}` })).toBe("200");
  expect(await ask(port, { host: `evil.example:${port}` })).toBe("421 host-denied");
});
