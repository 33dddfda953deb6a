import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { request, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createGateway, type Gateway, type GatewayConfig } from "spillway";
import { doors, type Door } from "../support/doors.ts";
import { startWorkers } from "../support/workers.ts";

/** The files of `static`, through every door. */

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spillway-static-"));
  await writeFile(join(folder, "secret.txt"), "outside");
  const html = join(folder, "html");
  await mkdir(join(html, "sub dir"), { recursive: true });
  await mkdir(join(html, "streams"));
  await mkdir(join(html, ".git"));
  await mkdir(join(folder, "html-of-others"));
  await Promise.all([
    writeFile(join(html, "index.html"), "<!doctype html><script>new EventSource('/api/sse')</script>"),
    writeFile(join(html, "app.js"), "0123456789"),
    writeFile(join(html, "sub dir", "index.html"), "sub"),
    writeFile(join(html, "streams", "s"), "shadow"),
    writeFile(join(html, "healthz"), "shadow"),
    writeFile(join(html, ".env"), "secret"),
    writeFile(join(html, ".git", "config"), "secret"),
    writeFile(join(folder, "html-of-others", "index.html"), "outside"),
    symlink(join(folder, "secret.txt"), join(html, "link.txt")),
    symlink(join(folder, "html-of-others"), join(html, "linked")),
    symlink(join(html, "app.js"), join(html, "inside.js")),
  ]);
  execFileSync("mkfifo", [join(html, "pipe")]);
});
afterAll(() => rm(folder, { recursive: true }));

const config = (): GatewayConfig => ({
  listen: "127.0.0.1:0",
  store: "memory:",
  streams: { s: {} },
  static: join(folder, "html"),
});

describe.each([...doors, undefined])("%j", (kind) => {
  let close: () => Promise<void>;
  let door: Pick<Door, "request">;

  beforeAll(async () => {
    if (!kind) {
      const { static: files } = config();
      const server = await startWorkers(2, { streams: { s: {} }, static: files });
      door = { request: (path, init) => fetch(server.url + path, { redirect: "manual", ...init }) };
      close = () => server.close();
      return;
    }
    const gateway = await createGateway({ ...config(), ...kind.config?.() });
    const opened = await kind.open(gateway);
    door = opened;
    close = async () => {
      await gateway.close();
      await opened.close();
    };
  });
  afterAll(() => close());

  test("a file is served with its type, its length and safe headers", async () => {
    for (const path of ["/", "/index.html", "/?x=1"]) {
      const response = await door.request(path);
      expect([path, response.status]).toEqual([path, 200]);
      expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      expect(response.headers.get("content-security-policy")).toContain("frame-ancestors 'self'");
      expect(await response.text()).toContain("EventSource");
    }
    const head = await door.request("/app.js", { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "10", ""]);
    expect(await (await door.request("/inside.js")).text()).toBe("0123456789");
    expect(await (await door.request("/sub%20dir/")).text()).toBe("sub");
  });

  test("ranges of a file are served, and a file that the client already has is not sent again", async () => {
    const part = await door.request("/app.js", { headers: { range: "bytes=2-4" } });
    expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([206, "bytes 2-4/10", "234"]);
    const beyond = await door.request("/app.js", { headers: { range: "bytes=20-" } });
    expect(beyond.status).toBe(416);
    await beyond.text();
    const etag = part.headers.get("etag")!;
    const known = await door.request("/app.js", { headers: { "if-none-match": etag } });
    expect([known.status, await known.text()]).toEqual([304, ""]);
    const failed = await door.request("/app.js", { headers: { "if-match": '"other"' } });
    expect(failed.status).toBe(412);
    await failed.text();
  });

  test("hidden files, files outside the folder and other things than files are not found", async () => {
    const paths = [
      "/.env",
      "/.git/config",
      "/link.txt",
      "/linked/index.html",
      "/linked/",
      "/pipe",
      "/..%2fsecret.txt",
      "/%2e%2e%2fsecret.txt",
      "/..%5csecret.txt",
      "/sub%20dir/..%2f..%2fsecret.txt",
      "/..%2fhtml-of-others%2findex.html",
      "/app.js%00.txt",
      "/app.js/",
      "/none",
      "/%E0%A4%A",
    ];
    for (const path of paths) {
      const response = await door.request(path);
      expect([path, response.status]).toEqual([path, 404]);
      expect(await response.text()).not.toMatch(/secret|outside/);
    }
  });

  test("a file cannot replace a path of the gateway", async () => {
    const healthz = await door.request("/healthz");
    expect(await healthz.json()).toEqual({ status: "ok" });
    const stream = await door.request("/streams/s", { headers: { accept: "application/json" } });
    expect(await stream.json()).toMatchObject({ events: [] });
    const below = await door.request("/streams/s/a/b");
    expect([below.status, ((await below.json()) as { code: string }).code]).toEqual([404, "not-found"]);
    expect((await door.request("/app.js", { method: "POST", body: "x" })).status).toBe(404);
  });
});

describe("a gateway with static files", () => {
  let gateway: Gateway;
  afterEach(() => gateway.close());

  /** An unchanged target, which Fetch would normalise. */
  async function get(
    port: number,
    path: string,
  ): Promise<{ status: number; location: string | undefined; body: string }> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ host: "127.0.0.1", port, path }, resolve).once("error", reject).end();
    });
    const { statusCode: status = 0, headers } = response;
    return { status, location: headers.location, body: await text(response) };
  }

  test("serves nothing outside the folder, whatever the target", async () => {
    gateway = await createGateway(config());
    const { port } = await gateway.listen();
    for (const path of [
      "/../secret.txt",
      "//../secret.txt",
      "/sub%20dir/../../secret.txt",
      "/./../secret.txt",
      "/\\..\\secret.txt",
    ]) {
      const { status, body } = await get(port, path);
      expect([path, status === 200 ? body : "refused"]).toEqual([path, "refused"]);
    }
  });

  test("redirects to a folder by a path that works behind any prefix, and never to another host", async () => {
    gateway = await createGateway(config());
    const { port } = await gateway.listen();
    expect(await get(port, "/sub%20dir")).toEqual({ status: 301, location: "./sub%20dir/", body: "" });
    expect(await get(port, "//sub%20dir")).toEqual({ status: 301, location: "./sub%20dir/", body: "" });
  });

  test("serves other files after a reload", async () => {
    const next = { ...config(), static: join(folder, "html-of-others") };
    gateway = await createGateway(config(), { readConfig: () => next });
    const body = async (): Promise<string> => (await gateway.fetch(new Request("http://gateway.test/"))).text();
    expect(await body()).toContain("EventSource");
    await gateway.reload();
    expect(await body()).toBe("outside");
  });

  test("is refused if the folder does not exist", async () => {
    gateway = await createGateway(config());
    for (const files of [join(folder, "none"), join(folder, "secret.txt"), "", "a\0b"]) {
      await expect(createGateway({ ...config(), static: files })).rejects.toThrow(
        "static: expected a folder that exists",
      );
    }
  });
});
