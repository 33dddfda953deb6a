import { once } from "node:events";
import { createServer } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startBetterSse, type BetterSse } from "../../support/better-sse.ts";
import { portOf } from "../../support/ports.ts";
import { runCli, startCli } from "./cli.ts";

let source: BetterSse;

beforeEach(async () => {
  source = await startBetterSse();
});

afterEach(() => source.close());

function publishNumbers(from: number, to: number): void {
  for (let number = from; number <= to; number++) source.publish("tick", { number });
}

test("tail prints readable events and exits after --count", async () => {
  const cli = startCli(["tail", source.url, "--count", "2"]);
  await cli.until(({ stderr }) => stderr().includes("-- open"));
  publishNumbers(1, 3);
  const { code, stdout } = await cli.result;
  expect(code).toBe(0);
  const time = String.raw`\d\d:\d\d:\d\d\.\d{3}`;
  expect(stdout).toMatch(new RegExp(`^${time} tick 1 {"number":1}\n${time} tick 2 {"number":2}\n$`));
});

test("tail resumes after a broken connection, and prints nothing twice", async () => {
  const cli = startCli(["tail", source.url, "--json", "--count", "6"]);
  await cli.until(() => source.connections() === 1);
  publishNumbers(1, 3);
  await cli.until(({ stdout }) => stdout().includes('"id":"3"'));
  source.disconnect();
  publishNumbers(4, 6);
  const { code, stdout, stderr } = await cli.result;
  expect(code).toBe(0);
  const ids = stdout
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { id: string }).id);
  expect(ids).toEqual(["1", "2", "3", "4", "5", "6"]);
  expect(source.resumed).toEqual(["", "3"]);
  expect(stderr).toMatch(/-- the upstream closed the stream.*; next attempt in \d+\.\ds\n-- connecting\n-- open\n/);
});

test("tail starts after --last-event-id", async () => {
  publishNumbers(1, 3);
  const { stdout } = await runCli(["tail", source.url, "--json", "--count", "2", "--last-event-id", "1"]);
  expect(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as object),
  ).toMatchObject([{ id: "2" }, { id: "3" }]);
});

test("tail exits with 0 on Ctrl-C", async () => {
  const cli = startCli(["tail", source.url]);
  await cli.until(({ stderr }) => stderr().includes("-- open"));
  cli.child.kill("SIGINT");
  expect((await cli.result).code).toBe(0);
});

test("tail exits quietly when the reader of its output has gone", async () => {
  const cli = startCli(["tail", source.url]);
  await cli.until(() => source.connections() === 1);
  publishNumbers(1, 1);
  await cli.until(({ stdout }) => stdout().includes("tick 1"));
  cli.child.stdout?.destroy();
  publishNumbers(2, 2);
  const { code, stderr } = await cli.result;
  expect(code).toBe(0);
  expect(stderr).not.toContain("EPIPE");
});

test("tail sends headers and query, and prints no control characters on the terminal", async () => {
  const requests: unknown[] = [];
  const server = createServer((request, response) => {
    requests.push([request.url, request.headers["x-team"]]);
    if (requests.length > 1) response.writeHead(204).end();
    else response.writeHead(200, { "content-type": "text/event-stream" }).end("id: 7\ndata: a\u001b[2Jb\ndata: c\n\n");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${portOf(server)}/stream`;
  const { code, stdout } = await runCli([
    "tail",
    url,
    "-H",
    "X-Team: one: two",
    "--after",
    "earliest",
    "--resume-param",
    "last-id",
  ]);
  server.close();
  expect(code).toBe(0);
  expect(stdout).toMatch(/ message 7 a\\x1b\[2Jb\n {4}c\n$/);
  expect(requests).toEqual([
    ["/stream?after=earliest", "one: two"],
    ["/stream?after=earliest&last-id=7", "one: two"],
  ]);
});

test("tail shows no id for events of a source without ids", async () => {
  const server = createServer((_, response) => {
    const type = { "content-type": "text/event-stream" };
    response.writeHead(200, type).write("data: a\n\nid: 1\ndata: b\n\nid\ndata: c\n\n");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${portOf(server)}/`;
  const [text, json] = await Promise.all([
    runCli(["tail", url, "--count", "3"]),
    runCli(["tail", url, "--count", "3", "--json"]),
  ]);
  server.closeAllConnections();
  server.close();
  expect(text.stdout).toMatch(/ message - a\n.* message 1 b\n.* message - c\n$/);
  const lines = json.stdout.trim().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { id?: string }).id)).toEqual([undefined, "1", undefined]);
});

test("tail refuses an invalid URL without showing it", async () => {
  const { code, stderr } = await runCli(["tail", "ftp://hunter2@host/"]);
  expect(code).toBe(1);
  expect(stderr).toBe(
    "spillway: request-invalid: expected an http:// or https:// URL, got a URL that begins with ftp:// (not shown)\n",
  );
});
