import {
  createGateway,
  type CreateGatewayConfig,
  type GatewayStatus,
  type StreamStatus,
  type StreamUpstreamStatus,
  type WorkerStatus,
} from "spillway";
import { expect, onTestFinished, test } from "vitest";
import { startNumberedUpstream } from "../../support/numbered-upstream.js";
import { eventually } from "../../support/reader.ts";
import { engines } from "../../support/shared-engines.ts";
import { startWorkers } from "../../support/workers.ts";

/** The members of the type: always present, or only with several nodes or workers. */
type Members<T> = Readonly<Record<keyof T, "always" | "shared" | "module">>;

const gatewayMembers = {
  version: "always",
  node: "always",
  uptime: "always",
  ready: "always",
  listener: "always",
  workers: "shared",
  streams: "always",
  onDemand: "always",
  routes: "always",
  deliveries: "always",
} satisfies Members<GatewayStatus>;

const streamMembers = {
  name: "always",
  head: "always",
  earliest: "always",
  ids: "always",
  events: "always",
  bytes: "always",
  retention: "always",
  lastEvent: "always",
  subscribers: "always",
  lag: "always",
  unsent: "always",
  delivered: "always",
  sentBytes: "always",
  replayed: "always",
  gaps: "always",
  filters: "always",
  filterErrors: "always",
  closed: "always",
  paused: "always",
  leader: "shared",
  lease: "shared",
  replication: "shared",
  transform: "module",
  definition: "module",
  upstream: "always",
} satisfies Members<StreamStatus>;

const closedMembers = {
  "client": "always",
  "stalled": "always",
  "drain": "always",
  "duration": "always",
  "store": "always",
  "token-expired": "always",
  "revoked": "always",
  "replaced": "always",
} satisfies Members<StreamStatus["closed"]>;

const upstreamMembers = {
  state: "always",
  target: "always",
  lastEventId: "always",
  reconnects: "always",
  received: "always",
  repeated: "always",
  refused: "always",
  errors: "always",
  lastError: "always",
  openSince: "always",
  retryAt: "always",
} satisfies Members<StreamUpstreamStatus>;

const workerMembers = { pid: "always", subscribers: "always" } satisfies Members<WorkerStatus>;
const leaseMembers = { holder: "always", fence: "always" } satisfies Members<Required<StreamStatus>["lease"]>;
const replicationMembers = { connected: "always", lag: "always", reconnects: "always" } satisfies Members<
  Required<StreamStatus>["replication"]
>;

/** Expects exactly the members that are always there, and with `shared` the others too. */
function expectMembers(value: object, members: Members<Record<string, unknown>>, shared = false): void {
  const expected = Object.keys(members).filter(
    (name) => members[name] === "always" || (shared && members[name] === "shared"),
  );
  expect(Object.keys(value).toSorted()).toEqual(expected.toSorted());
}

function expectStream(stream: StreamStatus, shared = false): void {
  expectMembers(stream, streamMembers, shared);
  expectMembers(stream.closed, closedMembers);
  expectMembers(stream.upstream!, upstreamMembers);
}

/** Opens a gateway whose stream `s` has taken an event from an upstream; resolves to what it serves at `/status`. */
async function openAndAsk(config: Pick<CreateGatewayConfig, "store" | "cluster">): Promise<GatewayStatus> {
  const source = await startNumberedUpstream();
  onTestFinished(() => source.close());
  source.control({ emit: 1 });
  const gateway = await createGateway({
    streams: { s: { upstream: { url: source.url, connect: "always" } } },
    access: { anonymous: ["admin"] },
    ...config,
  });
  onTestFinished(() => gateway.close());
  await eventually(() => {
    const { events, leader, lease } = gateway.status().streams["s"]!;
    return events === 1 && leader === (lease && true) && lease?.holder !== null;
  }, "an event from the upstream");
  const served = (await (await gateway.fetch(new Request("http://gateway/status"))).json()) as GatewayStatus;
  const { version, ready, listener } = gateway.status();
  expect(served).toMatchObject({ version, ready, listener, uptime: expect.any(Number) as number });
  expectMembers(gateway.status(), gatewayMembers);
  return served;
}

test("the status of a gateway has exactly the members of its type", async () => {
  const status = await openAndAsk({ store: "memory:" });
  expectMembers(status, gatewayMembers);
  const stream = status.streams["s"]!;
  expectStream(stream);
  expect(stream).toMatchObject({ name: "s", ids: "gateway", events: 1, paused: null, lastEvent: expect.any(String) });
  expect(stream.upstream).toMatchObject({
    state: "open",
    lastEventId: "1",
    received: 1,
    lastError: null,
    retryAt: null,
  });
});

test.each(engines)("on $name the status also has the members of a shared store", async (engine) => {
  const place = engine.openPlace();
  onTestFinished(() => place.remove());
  const status = await openAndAsk({ store: place.url, cluster: { node: "a" } });
  expectMembers(status, gatewayMembers);
  const stream = status.streams["s"]!;
  expectStream(stream, true);
  expectMembers(stream.lease!, leaseMembers);
  expectMembers(stream.replication!, replicationMembers);
  expect(stream).toMatchObject({ leader: true, lease: { holder: "a", fence: expect.any(Number) } });
});

test("with workers the status also has their members", async () => {
  const source = await startNumberedUpstream();
  onTestFinished(() => source.close());
  const server = await startWorkers(2, { streams: { s: { upstream: { url: source.url, connect: "always" } } } });
  onTestFinished(() => server.close());
  const status = (await (await fetch(`${server.url}/status`)).json()) as GatewayStatus;
  expectMembers(status, gatewayMembers, true);
  expectStream(status.streams["s"]!);
  expect(status.workers).toHaveLength(2);
  for (const worker of status.workers!) expectMembers(worker, workerMembers);
});
