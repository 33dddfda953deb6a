import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ErrorCode, PollConfig } from "spillway";
import { applyPatch, type Operation } from "rfc6902";
import { describe, expect, onTestFinished, test } from "vitest";
import { requestPage } from "../../../src/upstream/sources/poll-request.ts";
import { json, startApi, type ApiAnswer } from "../../support/api-server.ts";
import { startFed, type FedGateway } from "../../support/fed-gateway.ts";
import { patchCases } from "../../support/patch-cases.ts";
import { eventually } from "../../support/reader.ts";
import { upstreamOptions } from "../../unit/upstream/support.ts";

const items = (...ids: number[]): { id: number }[] => ids.map((id) => ({ id }));
const dataOf = (...ids: number[]): string[] => items(...ids).map((item) => JSON.stringify(item));

/** Polls without pauses that a test would have to wait for. */
function poll(options: PollConfig = {}): PollConfig {
  return { every: "10ms", ...options };
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "spillway-poll-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

describe("items", () => {
  test("become events once each, oldest first, with the parts that the pointers name", async () => {
    const api = await startApi(
      json({
        list: [
          { n: 2, of: { type: "b", on: "x" } },
          { n: 1, of: { type: "a" } },
        ],
      }),
    );
    const fed = await startFed({
      url: api.url,
      poll: poll({ items: "/list", reverse: true }),
      id: "/n",
      event: "/of/type",
      channel: "/of/on",
      data: "/n",
    });
    await fed.untilData(2);
    api.answer(json({ list: [{ n: 3, of: {} }, { n: 2 }] }));
    await fed.untilData(3);
    expect(fed.events).toEqual([
      { event: "a", data: "1", channel: null },
      { event: "b", data: "2", channel: "x" },
      { event: "message", data: "3", channel: null },
    ]);
    expect(fed.gaps()).toBe(0);
  });

  test("without an id are recognized by their content, whatever the order of their members", async () => {
    const api = await startApi(json([{ a: 1, b: [1, 2] }]));
    const fed = await startFed({ url: api.url, poll: poll() });
    await fed.untilData(1);
    api.answer(json([{ b: [1, 2], a: 1 }, { a: 2 }, { a: 2 }]));
    await fed.untilData(2);
    const seen = api.requests.length;
    await eventually(() => api.requests.length > seen + 2);
    expect(fed.data()).toEqual(['{"a":1,"b":[1,2]}', '{"a":2}']);
  });

  test("are stored once across a restart, and the validators survive it", async () => {
    const store = `sqlite:${await folder()}/log.db`;
    const api = await startApi(json(items(1, 2), { "etag": '"v1"', "last-modified": "Mon, 30 Nov 2026 10:00:00 GMT" }));
    const first = await startFed({ url: api.url, poll: poll(), id: "/id" }, store);
    await first.untilData(2);
    await first.close();
    const before = api.requests.length;
    api.answer((response) => void response.writeHead(304).end());
    const second = await startFed({ url: api.url, poll: poll(), id: "/id" }, store);
    await eventually(() => api.requests.length > before + 2);
    expect(api.requests[before]!.headers).toMatchObject({
      "if-none-match": '"v1"',
      "if-modified-since": "Mon, 30 Nov 2026 10:00:00 GMT",
    });
    api.answer(json(items(1, 2, 3)));
    await second.untilData(3);
    expect(second.data()).toEqual(dataOf(1, 2, 3));
    expect(second.status()).toMatchObject({ state: "open", received: 3, repeated: 2, errors: 0 });
  });

  test("of which none is known announce a gap, because the list may have moved on", async () => {
    const api = await startApi(json(items(1, 2, 3)));
    const fed = await startFed({ url: api.url, poll: poll(), id: "/id" });
    await fed.untilData(3);
    api.answer(json(items(7, 8)));
    await fed.untilData(5);
    expect(fed.events.map(({ event }) => event)).toEqual([
      "message",
      "message",
      "message",
      "spillway.gap",
      "message",
      "message",
    ]);
  });
});

describe("a cursor of the API", () => {
  const pages: ApiAnswer = (response, { query }) => {
    const since = Number(query["since"] ?? 0);
    const next = Math.min(since + 2, 9);
    json({ data: items(...[1, 2, 3, 4, 5, 6, 7, 8, 9].filter((n) => n > since && n <= next)), next })(response, {
      query,
      headers: {},
    });
  };

  test("is followed page by page without waiting, and from the last page after a restart", async () => {
    const store = `sqlite:${await folder()}/log.db`;
    const api = await startApi(pages);
    const options = { items: "/data", cursor: { from: "/next", query: "since" }, every: "1h" };
    const first = await startFed({ url: `${api.url}?k=1`, poll: options, id: "/id" }, store);
    await first.untilData(9);
    await eventually(() => api.requests.length === 6);
    expect(api.requests.map(({ query }) => query["since"])).toEqual([undefined, "2", "4", "6", "8", "9"]);
    expect(api.requests.every(({ query }) => query["k"] === "1")).toBe(true);
    await first.close();
    await startFed({ url: api.url, poll: options, id: "/id" }, store);
    await eventually(() => api.requests.length === 7);
    expect(api.requests.at(-1)!.query["since"]).toBe("9");
  });

  test("that does not advance, or pages without end, wait for the next request", async () => {
    const api = await startApi(json({ data: items(1), next: "same" }));
    const options = { items: "/data", cursor: { from: "/next", query: "since", pages: 3 }, every: "1h" };
    const fed = await startFed({ url: api.url, poll: options });
    await eventually(() => api.requests.length === 2);
    expect(fed.data()).toEqual(dataOf(1));
    let page = 0;
    const endless = await startApi((response, request) => json({ data: items(++page), next: page })(response, request));
    const other = await startFed({ url: endless.url, poll: options });
    await other.untilData(3);
    await eventually(() => other.status().received === 3);
    expect([api.requests.length, endless.requests.length]).toEqual([2, 3]);
  });
});

describe("a document", () => {
  test("is stored as a snapshot when it has changed", async () => {
    const api = await startApi(json({ at: 1, now: { t: 20 } }));
    const fed = await startFed({ url: api.url, poll: poll({ emit: "snapshot" }), data: "/now" });
    await fed.untilData(1);
    api.answer(json({ at: 2, now: { t: 20 } }));
    const seen = api.requests.length;
    await eventually(() => api.requests.length > seen + 1);
    api.answer(json({ at: 3, now: { t: 21 } }));
    await fed.untilData(2);
    expect(fed.events.map(({ event, data }) => [event, data])).toEqual([
      ["snapshot", '{"t":20}'],
      ["snapshot", '{"t":21}'],
    ]);
  });

  test.each(["merge-patch", "json-patch"] as const)(
    "can be rebuilt from its %s events (json-patch-tests)",
    async (emit) => {
      const documents = patchCases();
      expect(documents.length).toBeGreaterThan(100);
      let at = 0;
      const api = await startApi((response, request) => json(documents[at])(response, request));
      const fed = await startFed({ url: api.url, poll: { every: "10ms", jitter: 0, emit, snapshotEvery: 7 } });
      let rebuilt: unknown;
      let taken = 0;
      for (; at < documents.length; at++) {
        const expected = JSON.stringify(documents[at]);
        await eventually(() => {
          for (; taken < fed.events.length; taken++) rebuilt = apply(rebuilt, fed.events[taken]!);
          return sorted(rebuilt) === sorted(documents[at]);
        }, `document ${at}: ${expected}`);
      }
      const types = fed.events.map(({ event }) => event);
      expect(types.filter((type) => type === emit).length).toBeGreaterThan(20);
      expect(
        types
          .join(" ")
          .split("snapshot")
          .every((run) => run.trim().split(" ").length <= 7),
      ).toBe(true);
    },
  );

  /** Texts, because the test itself would not survive such objects. */
  const nested = (n: number): string => `${'{"a":'.repeat(1000)}[${"1,".repeat(1_500_000)}${n}]${"}".repeat(1000)}`;
  const list = (n: number): string => {
    const item = Array.from({ length: 200 }, (_, i) => `"k${i}":${n}`).join();
    return `[${Array.from({ length: 490 }, () => `{${item}}`).join()}]`;
  };

  test.each([
    ["merge-patch", nested, "snapshot"],
    ["json-patch", nested, "json-patch"],
    ["json-patch", list, "snapshot"],
  ] as const)("of a source that makes comparing expensive takes no minutes as %s", async (emit, make, type) => {
    let text = make(1);
    const api = await startApi((response) => response.writeHead(200, { "content-type": "application/json" }).end(text));
    const fed = await startFed({ url: api.url, poll: poll({ emit }) });
    await fed.untilData(1);
    text = make(2);
    await fed.untilData(2);
    expect(fed.events.map(({ event }) => event)).toEqual(["snapshot", type]);
  });

  test("is sent as a whole if retention has deleted the last one", async () => {
    let n = 0;
    const answer: ApiAnswer = (response, request) => json({ n, text: "x".repeat(100) })(response, request);
    const api = await startApi(answer);
    const retention = { retention: { events: 2 } };
    const fed = await startFed({ url: api.url, poll: poll({ emit: "merge-patch" }) }, "memory:", retention);
    for (n = 1; n <= 8; n++) {
      const now = `"n":${n}`;
      await eventually(() => fed.events.at(-1)?.data.includes(now) === true, now);
    }
    expect(fed.events.filter(({ event }) => event === "snapshot").length).toBeGreaterThan(1);
  });

  function apply(document: unknown, { event, data }: FedGateway["events"][number]): unknown {
    const value = JSON.parse(data) as unknown;
    if (event === "snapshot") return value;
    if (event === "merge-patch") return mergePatch(document, value);
    const holder = { document: structuredClone(document) };
    // The library cannot replace a whole document, so each is a member of another one.
    const text = JSON.stringify(value, (key, inner: unknown) =>
      key === "path" || key === "from" ? `/document${String(inner)}` : inner,
    );
    expect(applyPatch(holder, JSON.parse(text) as Operation[]).filter(Boolean)).toEqual([]);
    return holder.document;
  }

  /** The algorithm of RFC 7396 section 2. */
  function mergePatch(target: unknown, patch: unknown): unknown {
    if (!isObject(patch)) return patch;
    const result = isObject(target) ? { ...target } : {};
    for (const [name, value] of Object.entries(patch)) {
      if (value === null) delete result[name];
      else result[name] = mergePatch(result[name], value);
    }
    return result;
  }

  function isObject(value: unknown): value is Record<string, unknown> {
    return typeof value === "object" && value !== null && !Array.isArray(value);
  }

  function sorted(value: unknown): string | undefined {
    return JSON.stringify(value, (_, inner: unknown) =>
      isObject(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner,
    );
  }
});

describe("a bad answer", () => {
  const deep = `${"[".repeat(100_000)}1${"]".repeat(100_000)}`;
  const endless: ApiAnswer = (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const more = (): void => {
      while (!response.destroyed && response.write("[".repeat(65_536)));
    };
    response.on("drain", more);
    more();
  };
  const text =
    (body: string, type = "application/json", status = 200, headers = {}): ApiAnswer =>
    (response) =>
      void response.writeHead(status, { "content-type": type, ...headers }).end(body);

  test.each<[string, ErrorCode, ApiAnswer]>([
    ["HTML", "upstream-content-type", text("<html>log in", "text/html; charset=utf-8")],
    ["a compressed body", "upstream-content-type", text("x", "application/json", 200, { "content-encoding": "gzip" })],
    ["429", "upstream-status", text("{}", "application/json", 429, { "retry-after": "0" })],
    ["half a JSON text", "upstream-data-invalid", text('[{"id":1},{"id"')],
    ["an endless body", "upstream-message-too-large", endless],
    ["10,001 items", "upstream-message-too-large", json(Array.from({ length: 10_001 }, (_, n) => n))],
    [
      "a body that breaks off",
      "upstream-ended",
      (response) =>
        void response
          .writeHead(200, { "content-length": "100", "content-type": "application/json" })
          .write("[1", () => response.destroy()),
    ],
  ])("that is %s is %s, and polling recovers", async (_what, code, answer) => {
    const api = await startApi(json(items(1)));
    const fed = await startFed({ url: api.url, poll: poll(), id: "/id", maxEventBytes: "256KiB" });
    await fed.untilData(1);
    api.answer(answer);
    await fed.untilError(code);
    api.answer(json(items(1, 2)));
    await fed.untilData(2);
    expect(fed.data()).toEqual(dataOf(1, 2));
    expect(fed.lines.filter((line) => line.includes(code)).length).toBeGreaterThan(0);
    expect(fed.lines.join("\n")).not.toContain(new URL(api.url).host);
  });

  test("with items that are no events is counted, and its other items are stored", async () => {
    const api = await startApi(
      text(`[{"id":1},{"id":"a\\nb"},{"id":"${"7".repeat(2_049)}"},{"id":2,"x":${deep}},{"id":3}]`),
    );
    const fed = await startFed({ url: api.url, poll: { every: "1h" }, id: "/id" });
    await fed.untilData(2);
    expect(fed.data()).toEqual(dataOf(1, 3));
    expect(fed.status()).toMatchObject({ received: 5, refused: 3, errors: 0 });
    expect(fed.lines.filter((line) => line.includes("is dropped"))).toHaveLength(1);
  });

  test("with other ids each time leaves other streams and the limits of retention untouched", async () => {
    let n = 0;
    const api = await startApi((response, request) => json(items(++n, ++n, ++n))(response, request));
    const fed = await startFed({ url: api.url, poll: poll(), id: "/id" }, "memory:", { retention: { events: 10 } });
    await fed.untilData(30);
    expect((fed.gateway.status().streams["fed"] as { events: number }).events).toBeLessThanOrEqual(10);
  });
});

test("Cache-Control: max-age delays the next request, for at most five minutes", async () => {
  const api = await startApi(json([], { "cache-control": "public, max-age=60", "age": "20" }));
  const request = async (): Promise<number> =>
    (await requestPage(api.url, upstreamOptions(), {}, new AbortController().signal)).maxAge;
  expect(await request()).toBe(40_000);
  api.answer(json([], { "cache-control": "max-age=999999" }));
  expect(await request()).toBe(300_000);
  api.answer(json([], { "cache-control": "s-maxage=60" }));
  expect(await request()).toBe(0);
});
