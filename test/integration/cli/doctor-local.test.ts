import { readdir, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createNetServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Check } from "../../../src/doctor/check.ts";
import { freePort, portOf } from "../../support/ports.ts";
import { runCli, startServe, withDirectory } from "./cli.ts";

interface Report {
  readonly code: number | null;
  /** The items with a name. */
  all(name: string): readonly Check[];
  /** The only item with a name. */
  of(name: string): Check;
}

async function examine(cwd: string, ...flags: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await runCli(["doctor", "--json", ...flags], { cwd });
  expect(stderr).toBe("");
  const checks = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Check);
  const all = (name: string): readonly Check[] => checks.filter((check) => check.name === name);
  return { code, all, of: (name) => all(name)[0]! };
}

test("a configuration that works on this machine has no failures, and doctor leaves nothing behind", () =>
  withDirectory(async (cwd) => {
    await writeFile(join(cwd, "spillway.json"), JSON.stringify({ streams: { s: {} }, limits: { connections: 100 } }));
    const report = await examine(cwd);
    expect(report.code).toBe(0);
    const names = ["config", "store", "store-write", "disk", "clock", "listener", "node", "open-files", "memory"];
    expect(names.map((name) => [name, report.of(name).outcome])).toEqual(names.map((name) => [name, "ok"]));
    expect(report.of("file-system")).toBeDefined();
    expect(report.of("net.core.somaxconn")).toBeDefined();
    expect(await readdir(cwd)).toEqual(["spillway.json"]);
  }));

test("the report names the listener that the configuration selects", () =>
  withDirectory(async (cwd) => {
    const flags = ["--stream", "s", "--store", "memory:"];
    expect((await examine(cwd, ...flags)).of("listener").found).toMatch(/^raw: /);
    expect((await examine(cwd, ...flags, "--listener", "node")).of("listener").found).toMatch(/^node: /);
  }));

test("every error of the configuration is a separate failure", () =>
  withDirectory(async (cwd) => {
    await writeFile(join(cwd, "spillway.yaml"), "drian: 1s\nstreams: { s: { idz: gateway } }\n");
    const report = await examine(cwd);
    expect(report.code).toBe(1);
    expect(report.all("config").map(({ outcome, found }) => [outcome, found])).toEqual([
      ["fail", expect.stringContaining('did you mean "ids"?')],
      ["fail", expect.stringContaining('did you mean "drain"?')],
    ]);
  }));

test("a directory without a configuration is reported as a failure", () =>
  withDirectory(async (cwd) => {
    const report = await examine(cwd);
    expect([report.code, report.of("config").outcome]).toEqual([1, "fail"]);
    expect(report.of("config").found).toContain("this directory has no spillway.yaml");
  }));

test("a log in use by a running gateway is a warning, and a file that is not a log is a failure", () =>
  withDirectory(async (cwd) => {
    const flags = ["--stream", "s", "--store", "sqlite:log.db"];
    const serve = await startServe(flags, { cwd });
    const held = await examine(cwd, ...flags);
    expect([held.of("store").outcome, held.of("store-write").outcome]).toEqual(["warn", "ok"]);
    expect(held.of("store").found).toContain("another process holds");
    serve.child.kill("SIGTERM");
    await serve.result;
    expect((await examine(cwd, ...flags)).of("store").outcome).toBe("ok");
    await writeFile(join(cwd, "log.db"), "This is no database, but it is long enough to be looked at.");
    const broken = await examine(cwd, ...flags);
    expect([broken.code, broken.of("store").outcome]).toEqual([1, "fail"]);
    expect(broken.of("store").found).toContain("store-corrupt");
  }));

test("a missing folder is a failure, and a log in memory is a warning", () =>
  withDirectory(async (cwd) => {
    const nowhere = await examine(cwd, "--stream", "s", "--store", "sqlite:no/such/log.db");
    expect([nowhere.code, nowhere.of("store").outcome]).toEqual([1, "fail"]);
    expect((await examine(cwd, "--stream", "s", "--store", "memory:")).of("store").outcome).toBe("warn");
  }));

test("an engine is named and contacted, but nothing in it is changed", () =>
  withDirectory(async (cwd) => {
    const listening = createNetServer().listen(0, "127.0.0.1");
    await once(listening, "listening");
    onTestFinished(() => void listening.close());
    const [open, closed] = [portOf(listening), await freePort()];
    const there = await examine(cwd, "--stream", "s", "--store", `postgres://me:hunter2@127.0.0.1:${open}`);
    expect(there.of("store")).toMatchObject({
      outcome: "ok",
      found: expect.stringContaining(`PostgreSQL at 127.0.0.1:${open} accepts connections`) as unknown,
    });
    const away = await examine(cwd, "--stream", "s", "--store", `redis://me:hunter2@127.0.0.1:${closed}`);
    expect([away.code, away.of("store").outcome]).toEqual([1, "fail"]);
    expect(away.of("store").found).toBe(`Redis at 127.0.0.1:${closed} cannot be reached (ECONNREFUSED)`);
  }));

test("a clock that is behind the log's last event is detected", () =>
  withDirectory(async (cwd) => {
    const flags = ["--stream", "s", "--store", "sqlite:log.db", "--anonymous", "subscribe,publish"];
    const serve = await startServe(flags, { cwd });
    await fetch(`${serve.url}/streams/s/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"data":"x"}',
    });
    serve.child.kill("SIGTERM");
    await serve.result;
    expect((await examine(cwd, ...flags)).of("clock").outcome).toBe("ok");
    await moveIntoTheFuture(join(cwd, "log.db"));
    const { outcome, found } = (await examine(cwd, ...flags)).of("clock");
    expect(outcome).toBe("warn");
    expect(found).toContain("behind the last event of s");
  }));

test("with --check-upstream each source is contacted once, otherwise none is", () =>
  withDirectory(async (cwd) => {
    let requests = 0;
    const source = createServer((_request, response) => {
      requests++;
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    }).listen(0, "127.0.0.1");
    onTestFinished(() => source.close().closeAllConnections());
    await expect.poll(() => source.listening).toBe(true);
    const flags = ["--upstream", `http://127.0.0.1:${portOf(source)}/?key=hunter2`, "--store", "memory:"];
    expect((await examine(cwd, ...flags)).all("upstream")).toEqual([]);
    expect(requests).toBe(0);
    expect((await examine(cwd, ...flags, "--check-upstream")).of("upstream").outcome).toBe("ok");
    expect(requests).toBe(1);
    const nobody = ["--upstream", `http://127.0.0.1:${await freePort()}/?key=hunter2`, "--store", "memory:"];
    const { code, of } = await examine(cwd, ...nobody, "--check-upstream");
    expect([code, of("upstream").outcome]).toEqual([1, "fail"]);
    expect(of("upstream").found).toContain("upstream-connect");
    expect(of("upstream").found).not.toContain("hunter2");
  }));

test("with --check-upstream a server that is not of the configured kind is a failure", () =>
  withDirectory(async (cwd) => {
    const types: Readonly<Record<string, string>> = { "/list": "application/json", "/lines": "application/x-ndjson" };
    const server = createServer(({ url = "" }, response) => {
      const type = types[url] ?? "text/html";
      response.writeHead(200, { "content-type": type }).end(url === "/list" ? "[]" : "\n");
    }).listen(0, "127.0.0.1");
    onTestFinished(() => server.close().closeAllConnections());
    await expect.poll(() => server.listening).toBe(true);
    const host = `127.0.0.1:${portOf(server)}`;
    const upstreams: ReadonlyArray<readonly [found: string, upstream: object]> = [
      ["answers with JSON", { url: `http://${host}/list`, poll: {} }],
      ["answers with lines of JSON", { url: `http://${host}/lines`, format: "ndjson" }],
      ["upstream-content-type", { url: `http://${host}/page`, poll: {} }],
      ["upstream-content-type", { url: `http://${host}/page`, format: "ndjson" }],
      ["upstream-content-type", { url: `http://${host}/page` }],
      ["upstream-status", { url: `ws://${host}/page` }],
      ["upstream-connect", { url: `redis://${host}`, redis: { subscribe: ["x"] } }],
      ["upstream-connect", { url: `mqtt://${host}`, mqtt: { topics: ["x"] } }],
      ["upstream-connect", { url: `amqp://${host}`, amqp: { queue: "x" } }],
    ];
    const streams = Object.fromEntries(upstreams.map(([, upstream], index) => [`s${index}`, { upstream }]));
    await writeFile(join(cwd, "spillway.json"), JSON.stringify({ store: "memory:", streams }));
    const { code, all } = await examine(cwd, "--check-upstream");
    expect(code).toBe(1);
    expect(all("upstream")).toEqual(
      upstreams.map(([found]) => ({
        name: "upstream",
        outcome: found.startsWith("answers") ? "ok" : "fail",
        found: expect.stringContaining(found) as unknown,
        advice: expect.toSatisfy((advice) => (advice === null) === found.startsWith("answers")) as unknown,
      })),
    );
  }));

test("an invalid URL and an invalid duration are refused", async () => {
  const wrong = await runCli(["doctor", "streams/s"]);
  expect([wrong.code, wrong.stdout]).toEqual([1, ""]);
  expect(wrong.stderr).toContain("request-invalid");
  expect((await runCli(["doctor", "http://127.0.0.1/", "--idle", "soon"])).code).toBe(2);
});

/** Sets the clock back by a day from now on. */
async function moveIntoTheFuture(file: string): Promise<void> {
  const { loadDriver } = await import("../../../src/log/sqlite/driver.ts");
  const { DatabaseSync } = await loadDriver();
  const database = new DatabaseSync(file, { readOnly: false });
  database.prepare("UPDATE streams SET last_time = ?").run(Date.now() + 86_400_000);
  database.close();
}
