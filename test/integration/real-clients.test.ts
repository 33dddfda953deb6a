import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GatewayConfig, StreamConfig } from "spillway";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { chromiumInstalled } from "../support/chromium.ts";
import { startNumberedUpstream, type NumberedUpstream } from "../support/numbered-upstream.js";
import { freePort } from "../support/ports.ts";
import { startCli, type Program } from "../support/process.ts";
import { warnMissing } from "../support/programs.ts";
import { eventually } from "../support/reader.ts";
import { nodeClients, startBrowserClients, type Follower, type RealClient } from "../support/real-clients.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";

/**
 * Nine clients that applications use, each connected live behind a proxy that can cut them off. Whatever happens, each ends with
 * exactly 1..M: nothing missing, nothing twice, and told of no hole. Some of them ignore blocks that have an id and no data.
 */
let clients: readonly RealClient[] = nodeClients;
let closeBrowser: () => Promise<void> = () => Promise.resolve();
let source: NumberedUpstream;
let folder: string;
let port: number;
let gateway: Program;
let proxy: TcpProxy;
let followers: ReadonlyArray<readonly [name: string, follower: Follower]>;

if (!chromiumInstalled) warnMissing("Chromium", "chromium");

beforeAll(async () => {
  if (!chromiumInstalled) return;
  const browser = await startBrowserClients();
  clients = [...nodeClients, ...browser.clients];
  closeBrowser = browser.close;
});

afterAll(() => closeBrowser());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spillway-clients-"));
  source = await startNumberedUpstream({ retry: 10 });
  port = await freePort();
});

afterEach(async () => {
  for (const [, follower] of followers) follower.close();
  await proxy.close();
  await gateway.kill("SIGKILL");
  await source.close();
  await rm(folder, { recursive: true });
});

/** Connects all clients to the stream, through the proxy and with a query. `stream` adds to its configuration. */
async function open(query = "", stream: StreamConfig = {}): Promise<void> {
  const upstream = { url: source.url, backoff: { min: "10ms", max: "100ms" } };
  const config: GatewayConfig = {
    listen: port,
    store: `sqlite:${folder}/log.db`,
    access: { anonymous: ["subscribe", "publish"], cors: { origins: ["*"] } },
    streams: { numbers: { upstream, retry: "50ms", ...stream } },
  };
  await writeFile(join(folder, "spillway.json"), JSON.stringify(config));
  await start();
  proxy = await startTcpProxy(port);
  const url = `http://127.0.0.1:${proxy.port}/streams/numbers${query}`;
  followers = await Promise.all(clients.map(async (client) => [client.name, await client.open(url)] as const));
  await everyone("connected", ({ connections }) => connections === 1);
}

async function start(): Promise<void> {
  gateway = startCli("serve", "--config", join(folder, "spillway.json"));
  await gateway.printed('"listening"');
}

/** The data that a client has received. */
interface Seen {
  readonly connections: number;
  /** The numbers of the events, the types of announced gaps, and a mark for a message without data, which was not sent. */
  readonly events: readonly (number | string)[];
}

async function seenBy(follower: Follower): Promise<Seen> {
  const received = await follower.received();
  return {
    connections: received.filter(({ event }) => event === "connected").length,
    events: received.flatMap(({ event = "", data }) => {
      if (["", "message"].includes(event)) return data === "" ? "empty" : (JSON.parse(data) as { n: number }).n;
      return ["spillway.gap", "spillway.reset"].includes(event) ? event : [];
    }),
  };
}

/** Runs of numbers in short: `1..7`, `9..12`. */
function inShort(events: Seen["events"]): string[] {
  const runs: Array<[first: number | string, last: number | string]> = [];
  for (const event of events) {
    const run = runs.at(-1);
    if (run && typeof event === "number" && run[1] === event - 1) run[1] = event;
    else runs.push([event, event]);
  }
  return runs.map(([first, last]) => `${first}..${last}`);
}

/** Waits until the condition holds for each client. */
async function everyone(what: string, condition: (seen: Seen) => boolean): Promise<void> {
  for (const [name, follower] of followers) {
    await eventually(async () => condition(await seenBy(follower)), `${name}: ${what}`, 20).catch(
      async (error: unknown) => {
        throw new Error(`${String(error)}: it saw ${JSON.stringify(await seenBy(follower))}`);
      },
    );
  }
}

const progress = (number: number): Promise<void> =>
  everyone(`at ${number}`, ({ events }) => events.some((event) => typeof event === "number" && event >= number));

/** Waits until the gateway has stored all events of the source; resolves to the id of the last one and of the first one held. */
async function stored(): Promise<Record<"head" | "earliest", string>> {
  let place: Record<"head" | "earliest", string>;
  await eventually(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/streams`);
    ({
      streams: [place],
    } = (await response.json()) as { streams: [typeof place] });
    return place.head.endsWith(`.${source.state().last}`);
  }, "all events stored");
  return place!;
}

/** Keeps the clients disconnected meanwhile. */
async function whileAway(meanwhile: () => Promise<unknown>): Promise<void> {
  proxy.refuse(true);
  proxy.cut();
  await meanwhile();
  proxy.refuse(false);
  await everyone("connected again", ({ connections }) => connections === 2);
}

async function sendHundred(): Promise<void> {
  source.control({ emit: 100 });
  await stored();
}

/** Sends events at a steady rate, and causes a failure now and then. */
async function disturb(rounds: number, disturbance: (round: number) => Promise<void> | void): Promise<void> {
  source.control({ set: { rate: 200 } });
  for (let round = 0; round < rounds; round++) {
    await progress(source.state().last + 20);
    await disturbance(round);
  }
  source.control({ set: { rate: 0 } });
}

/** The events of each client, once all have received one more event. */
async function expectAll(): Promise<void> {
  // So that one that misses some is told from one that is late.
  source.control({ emit: 1 });
  const { last } = source.state();
  await progress(last);
  await expectEach(`1..${last}`);
}

async function expectEach(numbers: string): Promise<void> {
  const seen = await Promise.all(followers.map(async ([name, one]) => [name, inShort((await seenBy(one)).events)]));
  expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(clients.map(({ name }) => [name, [numbers]])));
}

const timeout = 120_000;

test("disconnected before the first event, each client gets 1..M", { timeout }, async () => {
  await open();
  await whileAway(sendHundred);
  await expectAll();
});

test("disconnected in the middle, each client gets 1..M", { timeout }, async () => {
  await open();
  source.control({ emit: 50 });
  await progress(50);
  await whileAway(sendHundred);
  await disturb(4, (round) => (round % 2 === 0 ? proxy.cut() : proxy.reset()));
  await expectAll();
});

test("with the gateway killed, each client gets 1..M", { timeout }, async () => {
  await open();
  await disturb(3, async () => {
    expect(await gateway.kill("SIGKILL")).toBe("SIGKILL");
    await start();
  });
  await expectAll();
});

test("with the gateway stopped by SIGTERM, each client gets 1..M", { timeout }, async () => {
  await open();
  await disturb(3, async () => {
    expect(await gateway.kill("SIGTERM")).toBe(0);
    await start();
  });
  await expectAll();
});

test(
  "disconnected with a filter that matched nothing, no client gets a gap for events that retention removed",
  { timeout },
  async () => {
    await open("?channels=mine", { heartbeat: "200ms", retention: { events: 10 } });
    await sendHundred();
    const { head } = await stored();
    await eventually(() => proxy.hasPassed(new RegExp(`(?:id: ${head}\n[^]*){${clients.length}}`)), "heartbeats", 50);
    await eventually(async () => (await stored()).earliest.endsWith(".91"), "retention");
    await whileAway(() => publish({ channel: "mine", data: { n: 1 } }));
    await progress(1);
    await expectEach("1..1");
  },
);

async function publish(event: object): Promise<void> {
  const body = JSON.stringify(event);
  const headers = { "content-type": "application/json" };
  const { status } = await fetch(`http://127.0.0.1:${port}/streams/numbers/events`, { method: "POST", headers, body });
  expect(status).toBe(200);
}
