import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { createServer } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { portOf } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";
import { startServe } from "./cli.ts";

const main = resolve(import.meta.dirname, "../../../dist/cli/main.js");

/** The output of `serve` on a terminal, up to the text. */
async function onTerminal(flags: string, until: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const command = `exec '${process.execPath}' '${main}' serve --stream chat --store memory ${flags}`;
  // `script` runs it on a pseudo-terminal.
  const child = spawn("script", ["-qec", command, "/dev/null"], { env: { PATH: process.env["PATH"], ...env } });
  const closed = new Promise((done) => child.once("close", done));
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await closed;
  });
  let output = "";
  child.stdout.on("data", (piece: Buffer) => (output += piece.toString()));
  await eventually(() => output.includes(until), `"${until}" in ${output}`);
  return output;
}

test("on a terminal, serve prints a URL for each stream, and colours levels unless NO_COLOR is set", async () => {
  const coloured = await onTerminal("--port 0", "/streams/chat");
  expect(coloured).toMatch(/^\S+ \u001b\[36minfo \u001b\[39m listening address="http:\/\/127\.0\.0\.1:\d+"/);
  const [, address] = /address="([^"]+)"/.exec(coloured)!;
  expect(coloured).toContain(`\r\n  ${address}/streams/chat\r\n`);
  expect(await onTerminal("--port 0", "/streams/chat", { NO_COLOR: "1" })).not.toContain("\u001b");
});

test("the URLs of a server on all addresses can be opened", async () => {
  const output = await onTerminal("--listen 0.0.0.0:0 --anonymous subscribe", "/streams/chat");
  expect(output).toMatch(/ {2}http:\/\/localhost:\d+\/streams\/chat\r\n/);
});

test("a source that refuses the key is logged with what to check, and a source that sends HTML with its type", async () => {
  for (const [status, type, said] of [
    [
      401,
      "application/json",
      "(401, application/json); check the key, and how the source expects it; next attempt in ",
    ],
    [404, "text/plain; charset=utf-8", "(404, text/plain); check the path of the URL; next attempt in "],
    [200, "text/html", "(200, text/html); check the URL: it does not serve the expected format; next attempt in "],
  ] as const) {
    const source = createServer((_, response) => void response.writeHead(status, { "content-type": type }).end("no"));
    await new Promise<void>((done) => source.listen(0, "127.0.0.1", done));
    onTestFinished(() => void source.close());
    const cli = await startServe([
      "--upstream",
      `http://127.0.0.1:${portOf(source)}/?key=hunter2`,
      "--store",
      "memory",
    ]);
    await cli.until(({ stdout }) => stdout().includes(said));
    expect(cli.stdout()).toMatch(/next attempt in \d+\.\ds"/);
    expect(cli.stdout()).not.toContain("hunter2");
    cli.child.kill("SIGTERM");
    await cli.result;
  }
});

test("at level debug, new and refused connections are logged without a credential", async () => {
  const cli = await startServe(["--stream", "chat", "--store", "memory", "--log-level", "debug"]);
  const response = await fetch(`${cli.url}/streams/chat`);
  expect((await fetch(`${cli.url}/status?x=hunter2`)).status).toBe(403);
  await cli.until(({ stdout }) => stdout().includes("request refused") && stdout().includes("subscription began"));
  const lines = cli
    .stdout()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const find = (msg: string): unknown => lines.find((line) => line["msg"] === msg);
  expect(find("subscription began")).toMatchObject({ level: "debug", stream: "chat", address: "127.0.0.1" });
  expect(find("request refused")).toMatchObject({
    level: "debug",
    code: "access-denied",
    method: "GET",
    path: "/status",
  });
  expect(cli.stdout()).not.toContain("hunter2");
  await response.body!.cancel();
  cli.child.kill("SIGTERM");
  await cli.result;
});
