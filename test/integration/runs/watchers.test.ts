import { Agent, request as sendRequest, type IncomingMessage } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Gateway } from "spillway";
import type { Log, LogStore } from "spillway/log";
import { expect, onTestFinished, test } from "vitest";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { startRunOrigin, type OriginRequest, type RunOrigin } from "../../support/run-origin.ts";
import { prepareRunNode, type RunNode } from "../../support/run-nodes.ts";
import { openRuns, pathOf, post, send, stateOf } from "../../support/runs.ts";
import { engines } from "../../support/shared-engines.ts";

/** A run is stopped this long after its last client has left, on whichever node that was. */
const cancelAfter = "2s";
const setup = { cluster: { lease: 2000 }, run: { onDisconnect: { cancelAfter } } } as const;

/** Starts two nodes that share a store, and an origin. */
async function startNodes(): Promise<{ readonly nodes: readonly [RunNode, RunNode]; readonly origin: RunOrigin }> {
  const place = engines.find(({ name }) => name === "redis")!.openPlace();
  onTestFinished(() => place.remove());
  const origin = await startRunOrigin();
  const config = { ...setup, store: place.url };
  const nodes = [await prepareRunNode(origin.url, config), await prepareRunNode(origin.url, config)] as const;
  await Promise.all(nodes.map((node) => node.start()));
  return { nodes, origin };
}

interface Begun {
  readonly request: OriginRequest;
  readonly reading: Reading;
  readonly path: string;
}

/** Starts a run, whose client has got a block. */
async function begin(node: RunNode, origin: RunOrigin): Promise<Begun> {
  const known = origin.requests.length;
  const answering = node.post({ known });
  await eventually(() => origin.requests.length > known, "a request");
  const request = origin.requests[known]!;
  request.send("data: 1\n\n");
  const reading = read(await answering);
  await reading.until(({ events }) => events.length === 1);
  return { request, reading, path: pathOf(reading.response) };
}

/** Begins a run on a node, whose only client is then on another one. */
async function beginElsewhere(
  node: RunNode,
  other: RunNode,
  origin: RunOrigin,
): Promise<{ readonly request: OriginRequest; readonly watching: Reading; readonly path: string }> {
  const { request, reading, path } = await begin(node, origin);
  const watching = read(await other.send(path));
  await watching.until(({ events }) => events.length === 1);
  await reading.cancel();
  return { request, watching, path };
}

/** Waits longer than `cancelAfter`: until a run is stopped whose client leaves now. */
async function waitForCancel(node: RunNode, origin: RunOrigin): Promise<void> {
  const { request, reading } = await begin(node, origin);
  await reading.cancel();
  await request.aborted;
}

test("a run goes on while its only client is on another node, and is stopped after that has left", async () => {
  const { nodes, origin } = await startNodes();
  const [first, second] = nodes;
  const { request, watching, path } = await beginElsewhere(first, second, origin);
  // Longer than the lease, too: the other node says that it is alive.
  for (let round = 0; round < 3; round++) await waitForCancel(first, origin);
  expect(request.isAborted()).toBe(false);
  request.send("data: 2\n\n");
  await watching.until(({ events }) => events.length === 2);
  await watching.cancel();
  await request.aborted;
  await eventually(async () => (await second.state(path))["state"] === "cancelled", "the end");
  expect(await second.state(path)).toMatchObject({ reason: "abandoned" });
});

test("a run is stopped whose only client was on a node that has died", async () => {
  const { nodes, origin } = await startNodes();
  const [first, second] = nodes;
  const { request, path } = await beginElsewhere(first, second, origin);
  await waitForCancel(first, origin);
  expect(request.isAborted()).toBe(false);
  await second.kill("SIGKILL");
  await request.aborted;
  expect(await first.state(path)).toMatchObject({ state: "cancelled", reason: "abandoned" });
});

interface Answer {
  readonly response: IncomingMessage;
  /** Whether it is not the first one of its connection. */
  readonly isNext: boolean;
}

/** A connection, all of whose requests one worker serves. */
function openConnection(url: string): (path: string, accept: string) => Promise<Answer> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  return (path, accept) =>
    new Promise((resolve, reject) => {
      const sent = sendRequest(url + path, { agent, headers: { accept } }, (response) =>
        resolve({ response, isNext: sent.reusedSocket }),
      );
      sent.on("error", reject).end();
    });
}

test("a run goes on while its only client is served by another worker, and is stopped after that has left", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spillway-runs-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const origin = await startRunOrigin();
  const node = await prepareRunNode(origin.url, { ...setup, store: `sqlite:${folder}/runs.db`, workers: 2 });
  await node.start();
  const { request, reading, path } = await begin(node, origin);
  let connection = openConnection(node.url);
  await eventually(async () => {
    // Only the worker that runs it knows its progress.
    const { response } = await connection(path, "application/json");
    const { events } = JSON.parse(await text(response)) as { readonly events: number | null };
    if (events === null) return true;
    connection = openConnection(node.url);
    return false;
  }, "a connection to the other worker");
  const { response: watching, isNext } = await connection(path, "text/event-stream");
  expect(isNext).toBe(true);
  let got = "";
  watching.setEncoding("utf8").on("data", (chunk: string) => (got += chunk));
  await eventually(() => got.includes("data: 1\n\n"), "the first block");
  await reading.cancel();
  await waitForCancel(node, origin);
  expect(request.isAborted()).toBe(false);
  request.send("data: 2\n\n");
  await eventually(() => got.includes("data: 2\n\n"), "the second block");
  watching.destroy();
  await request.aborted;
  await eventually(async () => (await node.state(path))["state"] === "cancelled", "the end");
});

/** A store whose hints of new events come late, as to a process that is busy. */
function late(store: LogStore): LogStore {
  return {
    ...store,
    async open(name, options) {
      const log = await store.open(name, options);
      const watch: Log["watch"] = (listener) => log.watch((hint) => void setTimeout(listener, 300, hint));
      return {
        stream: log.stream,
        epoch: log.epoch,
        state: () => log.state(),
        append: log.append.bind(log),
        read: log.read.bind(log),
        find: log.find.bind(log),
        trim: log.trim.bind(log),
        watch,
      };
    },
  };
}

test("a node stops a run of another node of whose start it has not heard yet", async () => {
  const redis = engines.find(({ name }) => name === "redis")!;
  const place = redis.openPlace();
  onTestFinished(() => place.remove());
  const origin = await startRunOrigin();
  const open = async (): Promise<Gateway> => openRuns(origin, { store: late(await redis.openStore(place.url)) });
  const [first, second] = [await open(), await open()];
  const answering = post(first);
  await eventually(() => origin.requests.length === 1, "a request");
  origin.requests[0]!.send("data: 1\n\n");
  const path = pathOf(await answering);
  expect((await send(second, path, {}, "DELETE")).status).toBe(204);
  expect(await stateOf(first, path)).toMatchObject({ state: "cancelled" });
});
