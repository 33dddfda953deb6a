import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGateway, type Gateway } from "spillway";
import { createEventStore, type McpEventStore } from "spillway/mcp";
import { afterEach, describe, expect, test } from "vitest";
import { engines } from "../support/shared-engines.ts";

const cleanUps: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function startNode(store: string, retention: object = {}): Promise<Gateway> {
  const gateway = await createGateway({ store, drain: "0s", streams: { mcp: { retention } } });
  cleanUps.push(() => gateway.close());
  return gateway;
}

async function newFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "spillway-mcp-"));
  cleanUps.push(() => rm(directory, { recursive: true }));
  return `sqlite:${join(directory, "mcp.db")}`;
}

const message = (n: number): object => ({ jsonrpc: "2.0", method: "notifications/progress", params: { n } });

async function replay(store: McpEventStore, after: string): Promise<{ stream: string; sent: [string, object][] }> {
  const sent: [string, object][] = [];
  const stream = await store.replayEventsAfter(after, {
    send: async (id, stored) => {
      sent.push([id, stored]);
    },
  });
  return { stream, sent };
}

const places = [
  { name: "memory", open: async () => "memory:", nodes: 1 },
  { name: "SQLite", open: newFile, nodes: 1 },
  ...engines.map((engine) => ({
    name: engine.name,
    async open() {
      const place = engine.openPlace();
      cleanUps.push(() => place.remove());
      return place.url;
    },
    nodes: 2,
  })),
];

describe.each(places)("on $name", ({ open, nodes }) => {
  test("a stream is replayed on every node, without the streams and sessions beside it", async () => {
    const url = await open();
    const gateways = [await startNode(url)];
    while (gateways.length < nodes) gateways.push(await startNode(url));
    const [first, last] = [gateways[0]!, gateways.at(-1)!];
    const [session, other] = [randomUUID(), randomUUID()];
    const [own, foreign] = [createEventStore(first, "mcp", session), createEventStore(first, "mcp", other)];
    const ids: string[] = [];
    for (let n = 0; n < 20; n++) {
      ids.push(await own.storeEvent("a", message(n)));
      await own.storeEvent("b", message(100 + n));
      await own.storeEvent("_GET_stream", message(200 + n));
      await foreign.storeEvent("a", message(300 + n));
      await foreign.storeEvent("_GET_stream", message(400 + n));
    }
    // The node has not read the log before.
    const resumed = createEventStore(last, "mcp", session);
    expect(await resumed.getStreamIdForEventId(ids[5]!)).toBe("a");
    const expected = ids.slice(6).map((id, i) => [id, message(6 + i)]);
    expect(await replay(resumed, ids[5]!)).toEqual({ stream: "a", sent: expected });
    expect(await replay(resumed, ids.at(-1)!)).toEqual({ stream: "a", sent: [] });

    // An id of another session is a place in the log, but never leads to messages of that session.
    const stolen = await replay(createEventStore(last, "mcp", other), ids[0]!);
    expect(stolen.sent.map(([, stored]) => stored)).toEqual(Array.from({ length: 20 }, (_, n) => message(300 + n)));
  });
});

test("a session continues after a restart, and empty messages are not replayed", async () => {
  const url = await newFile();
  const session = randomUUID();
  const before = await startNode(url);
  const store = createEventStore(before, "mcp", session);
  const first = await store.storeEvent("a", {});
  await store.storeEvent("a", {});
  const second = await store.storeEvent("a", message(1));
  await before.close();
  const after = createEventStore(await startNode(url), "mcp", session);
  const third = await after.storeEvent("a", message(2));
  const sent = [
    [second, message(1)],
    [third, message(2)],
  ];
  expect(await replay(after, first)).toEqual({ stream: "a", sent });
});

test("messages that were removed are an error, not a silent loss", async () => {
  const gateway = await startNode("memory:", { events: 5 });
  const store = createEventStore(gateway, "mcp", randomUUID());
  const first = await store.storeEvent("a", message(0));
  for (let n = 1; n < 2000; n++) await store.storeEvent("a", message(n));
  await expect(replay(store, first)).rejects.toMatchObject({ code: "gap", field: "lastEventId" });
  const ofAnotherLog = `AAAAAAAA.7/${first.split("/")[1]}`;
  await expect(replay(store, ofAnotherLog)).rejects.toMatchObject({ code: "gap" });
});

test.each(["", "a", "/a", "1/", "1/*", "x".repeat(10_000)])("no id: %s", async (id) => {
  const gateway = await startNode("memory:");
  const store = createEventStore(gateway, "mcp", randomUUID());
  expect(await store.getStreamIdForEventId(id)).toBeUndefined();
  await expect(replay(store, id)).rejects.toMatchObject({ code: "request-invalid", field: "lastEventId" });
});

test.each(["", "a*"])("no session: %s", async (session) => {
  const gateway = await startNode("memory:");
  expect(() => createEventStore(gateway, "mcp", session)).toThrow(expect.objectContaining({ field: "session" }));
});

test("a session whose id is the beginning of another one does not read its messages", async () => {
  const gateway = await startNode("memory:");
  const [team, alice] = [createEventStore(gateway, "mcp", "team"), createEventStore(gateway, "mcp", "team/alice")];
  const first = await alice.storeEvent("x", message(1));
  await alice.storeEvent("x", message(2));
  const [cursor] = first.split("/");
  expect((await replay(team, `${cursor}/alice/x`)).sent).toEqual([]);
  expect((await replay(alice, first)).sent).toHaveLength(1);
});
