import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { createGateway } from "../../../src/index.ts";
import { installSpillway } from "../../support/guide-app.ts";
import { eventually, read } from "../../support/reader.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";

/** Bun and Deno run the client, and serve a gateway with their own HTTP servers. */

const home = import.meta.dirname;
const installed = (...paths: string[]): string =>
  paths.map((path) => join(home, "node_modules", path)).find((path) => existsSync(path))!;
const runtimes = [
  {
    name: "Bun",
    command: [installed("@oven/bun-linux-x64-baseline/bin/bun", "@oven/bun-linux-aarch64/bin/bun")],
  },
  {
    name: "Deno",
    command: [installed("@deno/linux-x64-glibc/deno", "@deno/linux-arm64-glibc/deno"), "run", "--allow-all"],
  },
];

const key = "a-key-of-the-client";

const cleanUps: Array<() => unknown> = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

beforeAll(() => installSpillway("test/frameworks/runtimes"));

/** Runs a script of this folder; the lines are those it has printed. */
function run([program, ...flags]: readonly string[], script: string, ...args: readonly string[]): string[] {
  const child = spawn(program!, [...flags, script, ...args], { cwd: home, stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  cleanUps.push(() => {
    child.kill("SIGKILL");
    return exited;
  });
  const lines: string[] = [];
  createInterface(child.stdout).on("line", (line) => lines.push(line));
  return lines;
}

describe.each(runtimes)("$name", ({ command }) => {
  test("the client gets every event once, over a connection that breaks", async () => {
    const hash = `sha256:${createHash("sha256").update(key).digest("hex")}`;
    const access = { keys: [{ name: "client", hash, can: ["subscribe"] }] } as const;
    const gateway = await createGateway({ listen: "127.0.0.1:0", store: "memory:", streams: { s: {} }, access });
    cleanUps.push(() => gateway.close());
    const proxy = await startTcpProxy((await gateway.listen()).port);
    cleanUps.push(() => proxy.close());
    const url = `http://127.0.0.1:${proxy.port}/streams/s`;
    const lines = run(command, "follow.js", url, key);
    await eventually(() => lines.includes("state open"), "the subscription");
    const last = 300;
    for (let n = 1; n <= last; n++) {
      await gateway.publish("s", { data: `${n}` });
      if (n % 100 !== 50) continue;
      await eventually(() => lines.includes(`event ${n}`), "the events before the cut");
      if (n === 150) proxy.reset();
      else proxy.cut();
    }
    await gateway.publish("s", { data: "end" });
    await eventually(() => lines.includes("event end"), "the last event");
    const expected = Array.from({ length: last }, (_, n) => `event ${n + 1}`);
    expect(lines.filter((line) => !line.startsWith("state "))).toEqual([...expected, "event end"]);
    expect(proxy.accepted()).toBeGreaterThanOrEqual(4);
  });

  test.each(["memory:", "sqlite:"])("the gateway serves a stream from %s", async (store) => {
    const folder = await mkdtemp(join(tmpdir(), "spillway-runtimes-"));
    cleanUps.push(() => rm(folder, { recursive: true }));
    const lines = run(command, "serve.js", store === "sqlite:" ? `sqlite:${join(folder, "spillway.db")}` : store);
    await eventually(() => lines.length > 0, "the port");
    const url = `http://127.0.0.1:${lines[0]!.slice("port ".length)}`;
    const subscribers = async (): Promise<number> => {
      const { streams } = (await (await fetch(`${url}/status`)).json()) as {
        streams: Record<string, { subscribers: number }>;
      };
      return streams["s"]!.subscribers;
    };
    const publish = async (data: string): Promise<void> => {
      const response = await fetch(`${url}/streams/s/events`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ event: "message", data }),
      });
      expect(response.status).toBe(200);
    };
    const live = read(await fetch(`${url}/streams/s`));
    await live.until(() => live.controls("connected").length === 1);
    await publish("1");
    await publish("2");
    await live.until(() => live.data().length === 2);
    expect(await subscribers()).toBe(1);
    await live.cancel();
    await eventually(async () => (await subscribers()) === 0, "the end of the subscription");

    const id = live.events.find(({ data }) => data === "1")!.id!;
    const resumed = read(await fetch(`${url}/streams/s`, { headers: { "last-event-id": id } }));
    await publish("3");
    await resumed.until(() => resumed.data().length === 2);
    expect(resumed.data()).toEqual(["2", "3"]);
    await resumed.cancel();
  });
});
