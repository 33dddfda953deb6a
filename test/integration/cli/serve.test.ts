import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { portOf } from "../../support/ports.ts";
import { runCli, startCli, startServe, withDirectory, type Cli } from "./cli.ts";

const published = ["--stream", "chat", "--store", "memory:"];

async function stop({ child, result }: Cli, signal: NodeJS.Signals): Promise<number | null> {
  child.kill(signal);
  return (await result).code;
}

test("serve listens, answers, and exits with 0 on SIGTERM and SIGINT", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const cli = await startServe(published);
    expect((await fetch(`${cli.url}/healthz`)).status).toBe(200);
    expect(await stop(cli, signal)).toBe(0);
    const [listening] = cli.stdout().split("\n");
    expect(JSON.parse(listening!)).toMatchObject({
      msg: "listening",
      address: cli.url,
      streams: ["chat"],
      store: "memory",
    });
    expect(cli.stderr()).toBe("");
  }
});

test("serve keeps its log in the SQLite file, even after kill -9", () =>
  withDirectory(async (cwd) => {
    for (const [store, signal] of [
      ["sqlite:./a.db", "SIGKILL"],
      [`sqlite://${cwd}/a.db`, "SIGTERM"],
    ] as const) {
      const cli = await startServe(["--stream", "chat", "--store", store, "--anonymous", "subscribe,publish"], { cwd });
      const { stdout, stderr } = await runCli(["publish", `${cli.url}/streams/chat`, "--data", store]);
      expect([stdout, stderr]).toEqual([expect.stringMatching(/\.[12]\n$/), ""]);
      const code = await stop(cli, signal);
      expect(code).toBe(signal === "SIGKILL" ? null : 0);
    }
    const again = await startServe(["--stream", "chat", "--store", "sqlite:a.db"], { cwd });
    const response = await fetch(`${again.url}/streams/chat?after=earliest`, {
      headers: { accept: "application/json" },
    });
    const { events } = (await response.json()) as { events: { data: string }[] };
    expect(events.map(({ data }) => data)).toEqual(["sqlite:./a.db", `sqlite://${cwd}/a.db`]);
    await stop(again, "SIGTERM");
  }));

test("a second serve on the same SQLite file is refused in one line", () =>
  withDirectory(async (cwd) => {
    const first = await startServe(["--stream", "chat"], { cwd });
    const { code, stderr } = await runCli(["serve", "--stream", "chat", "--port", "0"], { cwd });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^spillway: store-locked: .*\n$/)]);
    await stop(first, "SIGTERM");
  }));

test("a second signal that is not a repetition of the first ends the process at once", async () => {
  const cli = await startServe([...published, "--anonymous", "publish"]);
  const { hostname, port } = new URL(cli.url);
  // A request that never ends keeps the server draining.
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  socket.on("error", () => undefined);
  socket.write(
    "POST /streams/chat/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
  );
  await once(socket, "data");
  cli.child.kill("SIGTERM");
  await cli.until(({ stdout }) => stdout().includes('"stopping"'));
  // What comes right behind the first one is taken for its echo.
  cli.child.kill("SIGTERM");
  await cli.until(({ child }) => child.exitCode !== null || !child.kill("SIGTERM"));
  expect((await cli.result).code).toBe(143);
  socket.destroy();
});

test("a public address without access is refused, with the section to add", async () => {
  const { code, stderr } = await runCli(["serve", ...published, "--listen", "0.0.0.0:0"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^spillway: access-required\n/);
  expect(stderr).toContain("\n  access:\n    anonymous: [subscribe]\n");
});

test("without a configuration, serve explains how to start without one", () =>
  withDirectory(async (cwd) => {
    const { code, stderr } = await runCli(["serve"], { cwd });
    expect(code).toBe(1);
    expect(stderr).toContain("config-not-found");
    expect(stderr).toContain("spillway serve --upstream <url>");
  }));

test("an address in use is reported in one readable line", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { code, stderr } = await runCli(["serve", ...published, "--port", String(portOf(server))]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^spillway: listen-failed: .*EADDRINUSE.*\n$/);
  server.close();
});

test("no log line contains a key of the upstream", async () => {
  const secret = "hunter2";
  let requests = 0;
  const source = createServer((request, response) => {
    requests += 1;
    expect(request.url).toContain(secret);
    if (requests === 1) response.writeHead(302, { location: `/again?key=${secret}` }).end();
    else if (requests === 2) response.writeHead(401).end(secret);
    else response.destroy();
  }).listen(0, "127.0.0.1");
  await once(source, "listening");
  const url = `http://127.0.0.1:${portOf(source)}/events?api-key=${secret}`;
  const cli = await startServe([
    "--upstream",
    url,
    "--store",
    "memory:",
    "--log-level",
    "debug",
    "--anonymous",
    "subscribe,admin",
  ]);
  await cli.until(({ stdout }) => stdout().includes("upstream-status"));
  const pages = await Promise.all(
    ["status", "streams", "api/status"].map(async (path) => (await fetch(`${cli.url}/${path}`)).text()),
  );
  expect(await stop(cli, "SIGTERM")).toBe(0);
  source.close();
  expect([cli.stdout(), cli.stderr(), ...pages].join()).not.toContain(secret);
});

test("in a container, serve starts with the environment of Surflux's guide as passed by docker run --env-file", () =>
  withDirectory(async (cwd) => {
    const image = { NODE_ENV: "production", SPILLWAY_LISTEN: "0.0.0.0:0" };
    const guide = { SURFLUX_API_URL: '"http://127.0.0.1:9"', SURFLUX_API_KEY: "'k'", PORT: "8080" };
    const flags = ["serve", "--preset", "surflux"];
    const refused = await runCli(flags, { cwd, env: { ...image, ...guide } });
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/access-required.*CLIENT_API_KEY/s)]);

    await mkdir(join(cwd, "html"));
    await writeFile(join(cwd, "html", "index.html"), "the page of the guide");
    const key = "a-key-of-the-clients-of-the-guide";
    const env = { ...image, ...guide, DATABASE_URL: '"file:./data.db"', CLIENT_API_KEY: `"${key}"` };
    const cli = startCli(flags, { cwd, env });
    await cli.until(({ stdout }) => stdout().includes('"listening"'));
    const port = /"address":"http:\/\/0\.0\.0\.0:(\d+)"/.exec(cli.stdout())![1]!;
    const url = `http://127.0.0.1:${port}/api/status`;
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(url, { headers: { "x-api-key": key } })).status).toBe(200);
    expect(await (await fetch(new URL("/", url))).text()).toBe("the page of the guide");
    expect(await readdir(cwd)).toContain("data.db");
    expect(await stop(cli, "SIGTERM")).toBe(0);
  }));
