import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli, startServe, type Cli } from "./cli.ts";

let server: Cli & { readonly url: string };

beforeAll(async () => {
  server = await startServe(["--stream", "chat", "--store", "memory:", "--anonymous", "subscribe,publish"]);
});

afterAll(async () => {
  server.child.kill("SIGTERM");
  await server.result;
});

/** The last events of the stream. */
async function lastEvents(count: number): Promise<object[]> {
  const response = await fetch(`${server.url}/streams/chat?last=${count}`, { headers: { accept: "application/json" } });
  return ((await response.json()) as { events: object[] }).events;
}

test("publish appends one event and prints its id", async () => {
  const args = [
    "publish",
    `${server.url}/streams/chat`,
    "--event",
    "said",
    "--channel",
    "room:1",
    "--data",
    "hello\nthere",
  ];
  const { code, stdout, stderr } = await runCli(args);
  expect([code, stderr]).toEqual([0, ""]);
  expect(await lastEvents(1)).toMatchObject([
    { id: stdout.trim(), event: "said", channel: "room:1", data: "hello\nthere" },
  ]);
});

test("publish reads events from stdin, one JSON object per line", async () => {
  const input = '{"data":"a"}\n\n{"data":{"b":1},"event":"other"}\n{"data":"c"}';
  const args = ["publish", "--server", `${server.url}/`, "--stream", "chat", "--event", "said"];
  const { code, stdout } = await runCli(args, { input });
  expect(code).toBe(0);
  expect(stdout.trim().split("\n")).toHaveLength(3);
  expect(await lastEvents(3)).toMatchObject([
    { event: "said", data: "a" },
    { event: "other", data: '{"b":1}' },
    { event: "said", data: "c" },
  ]);
});

test("the same idempotency key publishes once", async () => {
  const args = ["publish", `${server.url}/streams/chat`, "--idempotency-key", "k1"];
  const input = '{"data":"once"}\n{"data":"only"}\n';
  const [first, second] = [await runCli(args, { input }), await runCli(args, { input })];
  expect(first.code).toBe(0);
  expect(second).toEqual(first);
  expect(await lastEvents(2)).toMatchObject([{ data: "once" }, { data: "only" }]);
});

test("an invalid line is reported by its number", async () => {
  const { code, stderr } = await runCli(["publish", `${server.url}/streams/chat`], { input: '{"data":"a"}\nb\n' });
  expect(code).toBe(1);
  expect(stderr).toBe('spillway: request-invalid: stdin, line 2: expected a JSON object such as {"data":"…"}\n');
});

test("a refusal by the server is reported in one line", async () => {
  const unknown = await runCli(["publish", `${server.url}/streams/other`, "--data", "a"]);
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toMatch(/^spillway: stream-unknown: .* \(HTTP 404\)\n$/);
  const reserved = await runCli(["publish", `${server.url}/streams/chat`, "--event", "spillway.gap", "--data", "a"]);
  expect(reserved.stderr).toMatch(/^spillway: request-invalid: .*event.* \(HTTP 400\)\n$/);
});

test("an id that looks like a cursor is refused", async () => {
  const passing = await startServe([
    "--stream",
    "feed",
    "--store",
    "memory:",
    "--ids",
    "upstream",
    "--anonymous",
    "subscribe,publish",
  ]);
  const args = ["publish", `${passing.url}/streams/feed`];
  expect((await runCli(args, { input: '{"data":"a","id":"4711"}' })).stdout).toBe("4711\n");
  const { code, stderr } = await runCli(args, { input: '{"data":"a","id":"zzzz.3"}' });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^spillway: request-invalid: .*id.* \(HTTP 400\)\n$/);
  passing.child.kill("SIGTERM");
  await passing.result;
});

test("a server that does not answer is reported in one line", async () => {
  const { code, stderr } = await runCli(["publish", "http://127.0.0.1:1/streams/a", "--data", "a"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^spillway: upstream-connect: 127\.0\.0\.1:1 does not answer \(.+\)\n$/);
});

test("without a stream it is a usage error", async () => {
  expect((await runCli(["publish", "--data", "a"])).code).toBe(2);
});
