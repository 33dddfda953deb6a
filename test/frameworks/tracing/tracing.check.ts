import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { allBlocks } from "../../support/doc-blocks.ts";
import { makeGuideApp } from "../../support/guide-app.ts";
import { freePort, portOf } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";

/** The module and the commands of docs/operations/tracing.md, with a collector of the test. */

const page = "docs/operations/tracing.md";

/** A collector, and what it has got. */
async function startCollector(): Promise<{ readonly url: string; received(): string }> {
  let received = "";
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      received += `${request.url} ${body}\n`;
      response.setHeader("content-type", "application/json").end("{}");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${portOf(server)}`, received: () => received };
}

test("a gateway that is started as on the page sends its spans to the collector", async () => {
  const app = await makeGuideApp("test/frameworks/tracing", page);
  onTestFinished(() => app.remove());
  const collector = await startCollector();
  const commands = allBlocks().find(({ at, checkedBy }) => at.startsWith(page) && checkedBy !== undefined)!.text;
  const [install = "", ...serve] = commands.split("\n");
  const { dependencies } = JSON.parse(await readFile(join(import.meta.dirname, "package.json"), "utf8")) as {
    dependencies: object;
  };
  expect(install.replace("npm install ", "").split(" ").toSorted()).toEqual(Object.keys(dependencies).toSorted());

  const port = await freePort();
  const main = join(import.meta.dirname, "node_modules/spillway/dist/cli/main.js");
  const flags = `--stream chat --anonymous subscribe,publish --store memory: --port ${port}`;
  const command = serve
    .join("\n")
    .replace("http://127.0.0.1:4318", collector.url)
    .replace("/etc/spillway/tracing.js", join(app.folder, "tracing.js"))
    .replace("spillway serve", `exec "$NODE" "${main}" serve ${flags}`);
  expect(command).toContain(collector.url);
  const child = spawn("bash", ["-euc", command], { cwd: app.folder, env: { ...process.env, NODE: process.execPath } });
  const exit = once(child, "exit") as Promise<[number | null]>;
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  for (const channel of [child.stdout, child.stderr]) channel.on("data", (piece: Buffer) => (output += String(piece)));
  await eventually(() => output.includes('"listening"'), "the gateway to listen");

  const stream = `http://127.0.0.1:${port}/streams/chat`;
  const headers = { "content-type": "application/json" };
  expect((await fetch(`${stream}/events`, { method: "POST", headers, body: '{"data":"hello"}' })).status).toBe(200);
  const replayed = await fetch(`${stream}?after=earliest`);
  await replayed.body!.cancel();
  await eventually(
    () => ["spillway.log.append", "spillway.replay"].every((name) => collector.received().includes(name)),
    "the spans",
  );
  expect(collector.received()).toMatch(/^\/v1\/traces .*"spillway"/m);
  child.kill("SIGTERM");
  expect(await exit).toEqual([0, null]);
});
