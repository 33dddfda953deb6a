import { once } from "node:events";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { portOf } from "../../support/ports.ts";
import { untilEnded } from "../../support/workers.ts";
import { runCli, startCli, startServe, withDirectory } from "../cli/cli.ts";

const published = ["--stream", "chat", "--anonymous", "subscribe,publish,admin"];

test("serve --workers listens once all workers do, and logs it in one line", () =>
  withDirectory(async (cwd) => {
    const cli = await startServe([...published, "--workers", "2"], { cwd });
    const lines = cli
      .stdout()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter(({ msg }) => msg === "worker ready").map(({ worker }) => worker)).toHaveLength(2);
    expect(lines.at(-1)).toMatchObject({ msg: "listening", address: cli.url, workers: 2, store: "sqlite" });
    // The port that was chosen for 0 stays, when all workers die at once too.
    const { workers } = (await (await fetch(`${cli.url}/status`)).json()) as { workers: Array<{ pid: number }> };
    for (const { pid } of workers) process.kill(pid, "SIGKILL");
    await cli.until(({ stdout }) => stdout().split('"worker ready"').length === 5);
    expect((await fetch(`${cli.url}/healthz`)).status).toBe(200);
    cli.child.kill("SIGTERM");
    expect((await cli.result).code).toBe(0);
    expect(cli.stderr()).toBe("");
  }));

test("a worker is replaced at once, and after a delay if it repeatedly fails to start", () =>
  withDirectory(async (cwd) => {
    const cli = await startServe([...published, "--workers", "2"], { cwd });
    const lines = (msg: string): Array<Record<string, unknown>> =>
      cli
        .stdout()
        .split("\n")
        .filter((line) => line.includes('"worker":1') && line.includes(msg))
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    for (let deaths = 1; deaths <= 5; deaths++) {
      process.kill(lines("worker ready").at(-1)!["pid"] as number, "SIGKILL");
      await cli.until(() => lines("worker ready").length === deaths + 1);
    }
    const delays = lines("it is replaced").map(({ delay }) => delay as number);
    expect(delays).toHaveLength(5);
    expect(delays[0]).toBe(0);
    expect(delays[4]).toBeGreaterThanOrEqual(250);
    cli.child.kill("SIGTERM");
    expect((await cli.result).code).toBe(0);
  }));

test("an address in use is reported in one readable line, whatever the number of workers", () =>
  withDirectory(async (cwd) => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const args = ["serve", ...published, "--workers", "3", "--port", String(portOf(server))];
    const { code, stderr } = await runCli(args, { cwd });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^spillway: listen-failed: .*EADDRINUSE.*\n$/);
    server.close();
  }));

test("a second serve on one SQLite file is refused before it starts a worker", () =>
  withDirectory(async (cwd) => {
    const first = await startServe([...published, "--workers", "2"], { cwd });
    const { code, stdout, stderr } = await runCli(["serve", ...published, "--workers", "2", "--port", "0"], { cwd });
    expect([code, stdout, stderr]).toEqual([1, "", expect.stringMatching(/^spillway: store-locked: .*\n$/)]);
    first.child.kill("SIGTERM");
    await first.result;
  }));

test("a filter that cannot be compiled is refused at the start, as by a single process", () =>
  withDirectory(async (cwd) => {
    const access = { anonymous: { can: ["subscribe"], filter: "data.x >>> (" } };
    await writeFile(join(cwd, "spillway.json"), JSON.stringify({ listen: "127.0.0.1:0", streams: { a: {} }, access }));
    for (const workers of ["1", "2"]) {
      const cli = startCli(["serve", "--workers", workers], { cwd });
      await cli.until(({ stdout, stderr }) => stdout().includes('"listening"') || stderr() !== "");
      cli.child.kill();
      expect((await cli.result).stderr, workers).toContain("config-invalid: access.anonymous.filter");
    }
  }));

test("workers over a log in memory are refused with what to configure instead", async () => {
  const { code, stderr } = await runCli(["serve", ...published, "--store", "memory:", "--workers", "2"]);
  expect(code).toBe(1);
  expect(stderr).toBe(
    "spillway: config-invalid: --workers: workers: expected 1, or a store that several processes can read: sqlite:<path>, " +
      "got 2 with a store that only one process can read\n",
  );
});

test("a secret of an upstream is in no argument and no environment variable of a worker", () =>
  withDirectory(async (cwd) => {
    const secret = "hunter2";
    const cli = await startServe(["--upstream", `http://127.0.0.1:9/?key=${secret}`, "--workers", "2"], { cwd });
    const pids = Array.from(cli.stdout().matchAll(/"worker":\d,"pid":(\d+)/g), ([, pid]) => Number(pid));
    expect(pids).toHaveLength(2);
    for (const pid of pids) {
      expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).not.toContain(secret);
      expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toContain(secret);
    }
    cli.child.kill("SIGTERM");
    await cli.result;
    await untilEnded(pids);
    expect(cli.stdout()).not.toContain(secret);
  }));
