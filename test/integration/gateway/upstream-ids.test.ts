import { createServer, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";
import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EventSource } from "undici";
import { createGateway, type Gateway } from "spillway";
import { portOf } from "../../support/ports.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";

/** What a source sends on its connections in turn, regardless of the requested id. */
let parts: readonly string[];
let answers: Map<string, number>;
let source: Server;
let gateway: Gateway;

const types = ["message", "trade", "quote"];

beforeEach(async () => {
  answers = new Map();
  source = createServer(({ url = "" }, response) => {
    const count = answers.get(url) ?? 0;
    answers.set(url, count + 1);
    void answer(response, parts[count]);
  }).listen(0, "127.0.0.1");
  await once(source, "listening");
});

afterEach(async () => {
  source.close();
  source.closeAllConnections();
  await once(source, "close");
});

async function answer(response: ServerResponse, part: string | undefined): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream" });
  // The last connection stays open.
  if (part === undefined) return response.flushHeaders();
  const bytes = Buffer.from(part);
  for (let at = 0; at < bytes.length; at += 11) {
    await new Promise((resolve) => response.write(bytes.subarray(at, at + 11), resolve));
  }
  response.end();
}

/** An event as an application sees it. */
type Seen = readonly [type: string, data: string, lastEventId: string];

/** All events that an `EventSource` has got when it gets one of the type `end`. */
async function follow(url: string): Promise<Seen[]> {
  const client = new EventSource(url);
  const seen: Seen[] = [];
  let ended = false;
  const note = ({ type, data, lastEventId }: MessageEvent<string>): void => void seen.push([type, data, lastEventId]);
  for (const type of types) client.addEventListener(type, note as (event: Event) => void);
  client.addEventListener("end", () => (ended = true));
  await eventually(() => ended, "the end");
  client.close();
  return seen;
}

const origin = (): string => `http://127.0.0.1:${portOf(source)}`;

/** What a client of the source receives, and a client of a gateway in front of it. */
async function throughBoth(...sent: readonly string[]): Promise<{ readonly direct: Seen[]; readonly passed: Seen[] }> {
  parts = [`retry: 10\n\n${sent[0]}`, ...sent.slice(1), "event: end\ndata\n\n"];
  answers.clear();
  const url = await start();
  try {
    const direct = await follow(`${origin()}/direct`);
    return { direct, passed: await follow(`${url}?after=earliest`) };
  } finally {
    await gateway.close();
  }
}

/** Starts a gateway in front of the source; resolves to the URL of its stream. */
async function start(): Promise<string> {
  gateway = await createGateway({
    listen: "127.0.0.1:0",
    store: "memory:",
    access: { anonymous: ["subscribe", "admin"] },
    streams: { s: { ids: "upstream", upstream: { url: `${origin()}/gateway`, backoff: { min: "5ms", max: "20ms" } } } },
  });
  const { port } = await gateway.listen();
  return `http://127.0.0.1:${port}/streams/s`;
}

test.each([
  ["an id without a value", "id: 1\ndata: a\n\nid\ndata: b\n\ndata: c\n\n", ["1", "", ""]],
  ["an empty id", "id: 1\ndata: a\n\nid:\ndata: b\n\nid: 2\ndata: c\n\n", ["1", "", "2"]],
  ["an id in a block without data", "id: 1\ndata: a\n\nid: 2\n\ndata: b\n\ndata: c\n\n", ["1", "2", "2"]],
  ["the last of several such ids", "id: 1\n\nid: 2\n\ndata: a\n\n", ["2"]],
  ["an empty id in a block without data", "id: 1\ndata: a\n\nid\n\ndata: b\n\n", ["1", ""]],
  ["an id that holds NUL", "id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n", ["1", "1"]],
  ["no id at all", "data: a\n\ndata: b\n\n", ["", ""]],
  ["the same id again", "id: 1\ndata: a\n\nid: 1\ndata: b\n\ndata: c\n\n", ["1", "1", "1"]],
])("%s reaches clients as it would directly from the source", async (_, text, ids) => {
  const { direct, passed } = await throughBoth(text);
  expect(passed).toEqual(direct);
  expect(passed.map(([, , id]) => id)).toEqual(ids);
});

test("JSON has an empty id where clients clear theirs, and no id where they keep it", async () => {
  parts = ["data: a\n\ndata: b\n\nid: 1\ndata: c\n\nid: 2\n\ndata: d\n\nid\ndata: e\n\n"];
  const url = await start();
  const poll = async (): Promise<Array<{ id: string | null; upstreamId: string | null; event: string }>> => {
    const response = await fetch(`${url}?after=earliest&events=message`, { headers: { accept: "application/json" } });
    return ((await response.json()) as { events: [] }).events;
  };
  await eventually(async () => (await poll()).length >= 5, "five events");
  const events = (await poll()).filter(({ event }) => event === "message");
  expect(events.map(({ id, upstreamId }) => [id, upstreamId])).toEqual([
    ["", null],
    [null, null],
    ["1", "1"],
    ["2", "2"],
    ["", null],
  ]);
  await gateway.close();
});

test("a client that connects live gets an id to resume with, whatever ids the source sends", async () => {
  let send: (text: string) => void = () => {};
  source.removeAllListeners("request");
  source.on("request", (_, response: ServerResponse) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    send = (text) => void response.write(text);
  });
  const url = await start();
  const subscribe = async (query = "", id?: string): Promise<Reading> => {
    const headers = id === undefined ? {} : { "last-event-id": id };
    const reading = read(await fetch(url + query, { headers }));
    await reading.until(({ events }) => events.length > 0);
    return reading;
  };
  /** Connects, disconnects, and reconnects after the source has sent something. */
  const missed = async (text: string, query = ""): Promise<[id: string, data: string[]]> => {
    const before = await subscribe(query);
    const { id } = before.events[0]!;
    await before.cancel();
    const other = await subscribe();
    send(text);
    await other.until(() => other.data().length > 0);
    const again = await subscribe(query, id);
    await again.until(() => again.data().length > 0);
    expect(again.response.headers.get("spillway-resume")).toBe("resumed");
    await Promise.all([other.cancel(), again.cancel()]);
    return [id!, again.data()];
  };
  await eventually(() => JSON.stringify(gateway.status()).includes('"state":"open"'), "the source");
  const cursor = (number: number): string => expect.stringMatching(`^[a-z0-9]+\\.${number}$`) as string;
  expect(await missed("data: a\n\n")).toEqual([cursor(0), ["a"]]);
  expect(await missed("id: 5\ndata: b\n\n")).toEqual([cursor(1), ["b"]]);
  expect(await missed("data: c\n\n")).toEqual(["5", ["c"]]);
  expect(await missed("id: 6\ndata: d\n\n")).toEqual([cursor(3), ["d"]]);
  // The event at the head may be one that the filter hides.
  expect(await missed("data: e\n\n", "?events=message")).toEqual([cursor(4), ["e"]]);
  await gateway.close();
});

test("an id that came without an event before a break is kept after it", async () => {
  const { direct, passed } = await throughBoth("id: 1\ndata: a\n\nid: 2\n\n", "data: b\n\n");
  expect(passed).toEqual(direct);
  expect(passed).toEqual([
    ["message", "a", "1"],
    ["message", "b", "2"],
  ]);
});

test("an id that came without an event before a break, and was cleared after it, does not return", async () => {
  const { direct, passed } = await throughBoth("id: 1\n\n", "id\ndata: a\n\n", "data: b\n\n");
  expect(passed).toEqual(direct);
  expect(passed).toEqual([
    ["message", "a", ""],
    ["message", "b", ""],
  ]);
});

/** Blocks with unique ids. */
const block = fc.record({
  id: fc.constantFrom("absent", "absent", "empty", "bare", "new", "new", "new"),
  event: fc.constantFrom(undefined, "trade", "quote"),
  data: fc.constantFrom(undefined, [], [""], ["x"], ["x", ""], [" y", "z"]),
  comment: fc.boolean(),
});

test("any sequence of blocks, interrupted anywhere, gives the events and ids of a direct connection", async () => {
  const sequence = fc.array(fc.array(block, { maxLength: 12 }), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(sequence, async (connections) => {
      let last = 0;
      const written = connections.map((blocks) =>
        blocks
          .map(({ id, event, data, comment }) => {
            const ids = { absent: "", empty: "id:\n", bare: "id\n", new: `id: ${++last}ü\n` };
            const lines = [ids[id], event ? `event: ${event}\n` : "", comment ? ": c\n" : ""];
            return `${lines.join("")}${(data ?? []).map((line) => `data: ${line}\n`).join("")}\n`;
          })
          .join(""),
      );
      const { direct, passed } = await throughBoth(...written);
      expect(passed).toEqual(direct);
    }),
    { numRuns: 40 },
  );
});
