import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import type { RunConfig } from "../../../src/index.ts";
import { allBlocks } from "../../support/doc-blocks.ts";
import { serveGateway, type GatewayServer } from "../../support/gateway-server.ts";
import { eventually } from "../../support/reader.ts";
import { startRunOrigin, type OriginRequest, type RunOrigin } from "../../support/run-origin.ts";
import { captures, responseId } from "./captures.ts";

/** Unmodified clients read runs as they read the API itself. */

type Call<Rest extends unknown[] = []> = (url: string, ...rest: Rest) => Promise<unknown[]>;

/** See sdks.js. */
interface Sdks {
  readonly places: readonly (string | null)[];
  readonly openaiChat: Call;
  readonly openaiResponse: Call;
  readonly openaiRetrieve: Call<[id: string, after: number]>;
  readonly openaiCancel: (url: string, id: string) => Promise<unknown>;
  readonly anthropicMessage: Call;
  readonly aiChat: Call;
  readonly aiRejoin: (url: string) => Promise<unknown[] | null>;
}

const module = "./sdks.js";
const sdks = (await import(module)) as Sdks;

const apis = [
  ["openai", "openaiChat"],
  ["openai", "openaiResponse"],
  ["anthropic", "anthropicMessage"],
  ["ai-sdk", "aiChat"],
] as const;

type Api = (typeof apis)[number];

async function serve({ url }: RunOrigin, dialect: Api[0]): Promise<GatewayServer> {
  const run: RunConfig = { upstream: { url }, dialect, key: ["header:idempotency-key", "body:/id"] };
  const gateway = await serveGateway({ store: "memory:", drain: "500ms", runs: { "/v1/**": run } });
  onTestFinished(() => gateway.close());
  return gateway;
}

/** Answers with a whole response. */
const replay =
  (blocks: readonly string[]) =>
  (request: OriginRequest): void => {
    for (const block of blocks) request.send(block);
    request.response.end();
  };

test.each(apis)("the client of %s gets the same from a run as directly (%s)", async (dialect, name) => {
  const origin = await startRunOrigin(replay(captures[name]));
  const { url } = await serve(origin, dialect);
  const direct = await sdks[name](origin.url);
  expect(direct.length).toBeGreaterThan(0);
  expect(await sdks[name](url)).toEqual(direct);
});

test.each(apis)("the client of %s raises its own error if a response is cut (%s)", async (dialect, name) => {
  const origin = await startRunOrigin((request) => {
    for (const block of captures[name].slice(0, 4)) request.send(block);
    setImmediate(() => request.response.destroy());
  });
  const { url } = await serve(origin, dialect);
  await expect(sdks[name](url)).rejects.toThrow("the response was cut off");
});

test.each(apis)("the client of %s gets the end of a run that is stopped (%s)", async (dialect, name) => {
  const origin = await startRunOrigin((request) => {
    for (const block of captures[name].slice(0, 4)) request.send(block);
  });
  const { url } = await serve(origin, dialect);
  const known = sdks.places.length;
  const reading = sdks[name](url).catch((error: unknown) => error);
  await eventually(() => sdks.places.length > known, "a response");
  expect((await fetch(url + sdks.places[known]!, { method: "DELETE" })).status).toBe(204);
  await origin.requests[0]!.aborted;
  const got = await reading;
  // Anthropic's own helper expects a stop reason, which a stopped message has none of.
  expect(Array.isArray(got) || name === "anthropicMessage").toBe(true);
});

test("OpenAI's client continues a response behind an event, and cancels it", async () => {
  const origin = await startRunOrigin((request) => {
    for (const block of captures.openaiResponse.slice(0, 5)) request.send(block);
  });
  const { url } = await serve(origin, "openai");
  const whole = sdks.openaiResponse(url);
  await eventually(() => origin.requests.length === 1, "a request");
  await eventually(async () => {
    const response = await fetch(`${url}/v1/responses/${responseId}?stream=true`);
    void response.body?.cancel();
    return response.headers.has("spillway-run");
  }, "the run");
  const rest = sdks.openaiRetrieve(url, responseId, 2);
  for (const block of captures.openaiResponse.slice(5)) origin.requests[0]!.send(block);
  origin.requests[0]!.response.end();
  expect(await rest).toEqual((await whole).slice(3));
  expect(origin.requests.filter(({ method }) => method === "POST")).toHaveLength(1);
  expect(await sdks.openaiCancel(url, responseId)).toMatchObject({
    id: responseId,
    status: "completed",
  });
});

test("the AI SDK joins the running response of a chat again, and nothing once it has ended", async () => {
  const origin = await startRunOrigin((request) => {
    for (const block of captures.aiChat.slice(0, 4)) request.send(block);
  });
  const { url } = await serve(origin, "ai-sdk");
  expect(await sdks.aiRejoin(url)).toBeNull();
  const first = sdks.aiChat(url);
  await eventually(
    async () => (await fetch(`${url}/v1/chat/chat-1/stream`, { method: "GET" })).status === 200,
    "a run",
  );
  const known = sdks.places.length;
  const second = sdks.aiRejoin(url);
  await eventually(() => sdks.places.length > known, "a response");
  for (const block of captures.aiChat.slice(4)) origin.requests[0]!.send(block);
  origin.requests[0]!.response.end();
  expect(await second).toEqual(await first);
  expect(JSON.stringify(await first)).toContain("Hello, world!");
  await eventually(async () => (await sdks.aiRejoin(url)) === null, "the end");
});

test("the guide's code for OpenAI's client reads a response, and continues it in another place", async () => {
  const page = "docs/guides/resumable-llm-streams.md";
  const [first = "", second = ""] = allBlocks()
    .filter(({ at, checkedBy }) => at.startsWith(page) && checkedBy !== undefined)
    .map(({ text }) => text);
  const origin = await startRunOrigin(replay(captures.openaiResponse));
  const { url } = await serve(origin, "openai");
  expect(first).toContain("http://127.0.0.1:8080");
  const program = `
    const events = [];
    const others = [];
    const remember = (event) => events.push(event);
    ${first.replace("http://127.0.0.1:8080", url)}
    const { id } = events[0].response;
    const sequenceNumber = events[2].sequence_number;
    ${second}
    for await (const event of rest) others.push(event);
    console.log(JSON.stringify([events, others]));`;
  const args = ["--input-type=module", "-e", program];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  const [events, rest] = JSON.parse(stdout) as [unknown[], unknown[]];
  expect(events).toHaveLength(captures.openaiResponse.length);
  expect(rest).toEqual(events.slice(3));
  expect(origin.requests).toHaveLength(1);
});
