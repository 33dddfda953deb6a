import { createServer } from "node:http";
import { once } from "node:events";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { createGateway, type AccessConfig, type Gateway } from "spillway";
import { bearer, makeKey } from "../support/credentials.ts";
import { doors, type Door } from "../support/doors.ts";
import { portOf } from "../support/ports.ts";

/** `GET /` without static files, through every door. */

const json = { accept: "application/json" };
const one = makeKey("one", { streams: ["a"] });
const publisher = makeKey("publisher", { can: ["publish"] });

let gateway: Gateway;
let door: Door | undefined;
afterEach(async () => {
  await gateway.close();
  await door?.close();
  door = undefined;
});

async function open(access?: AccessConfig, config: object = {}): Promise<void> {
  const listen = "127.0.0.1:0";
  gateway = await createGateway({ listen, store: "memory:", streams: { a: {}, b: {} }, access, ...config });
}

const namesOf = async (response: Response): Promise<string[]> =>
  ((await response.json()) as { streams: Array<{ name: string }> }).streams.map(({ name }) => name);

describe.each(doors)("$name", (kind) => {
  async function request(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return door!.request(path, { headers });
  }

  test("the root is a page that loads nothing from other hosts and contains no data of the gateway", async () => {
    await open(undefined, kind.config?.());
    door = await kind.open(gateway);
    for (const accept of ["text/html,application/xhtml+xml,*/*;q=0.8", "*/*"]) {
      const response = await request("/", { accept });
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
      const policy = response.headers.get("content-security-policy")!;
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toMatch(/unsafe|https?:|\*/);
      const page = await response.text();
      expect(page).toContain("<title>Spillway</title>");
      expect(page).not.toMatch(/(src|href)="(?!data:,)/);
    }
    expect((await door.request("/", { method: "HEAD" })).status).toBe(200);
    expect((await door.request("/", { method: "DELETE" })).status).toBe(405);
  });

  test("as JSON, the root lists the streams that the caller may subscribe to", async () => {
    await open({ keys: [one.config, publisher.config] }, kind.config?.());
    door = await kind.open(gateway);
    const response = await request("/", { ...json, ...bearer(one.key) });
    expect(response.headers.get("vary")).toContain("Accept");
    expect(await response.json()).toMatchObject({
      ready: true,
      subject: "key:one",
      streams: [{ name: "a", path: "/streams/a", upstream: null, paused: null, head: expect.any(String) as string }],
    });
    expect(await namesOf(await request("/", json))).toEqual([]);
    expect(await namesOf(await request("/", { ...json, ...bearer(publisher.key) }))).toEqual([]);
    expect((await request("/", { ...json, ...bearer("spw_unknown") })).status).toBe(401);
  });
});

/** A program that mounts the gateway at a path as Express does, and answers the rest itself. */
async function mountAt(path: string): Promise<string> {
  const server = createServer((request, response) => {
    const { url = "" } = request;
    const isBelow = url.startsWith(path);
    if (isBelow) Object.assign(request, { baseUrl: path, url: url.slice(path.length) || "/" });
    const next = (): void => void response.end("the program's own");
    if (isBelow) gateway.node()(request, response, next);
    else next();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${portOf(server)}`;
}

describe("below a path", () => {
  test("the page and its JSON are served at that path", async () => {
    await open();
    const fetched = await gateway.fetch(new Request("http://gateway.test/live", { headers: json }), "/live");
    expect(await fetched.json()).toMatchObject({ streams: [{ path: "/live/streams/a" }, { path: "/live/streams/b" }] });
    const base = await mountAt("/live");
    for (const path of ["/live", "/live/"]) {
      expect(await (await fetch(base + path)).text()).toContain("<title>Spillway</title>");
      const facts = await (await fetch(base + path, { headers: json })).json();
      expect(facts).toMatchObject({ streams: [{ path: "/live/streams/a" }, { path: "/live/streams/b" }] });
    }
  });

  test("a gateway mounted in a program does not serve the program's root", async () => {
    await open();
    expect(await (await fetch(`${await mountAt("")}/`)).text()).toBe("the program's own");
  });
});
