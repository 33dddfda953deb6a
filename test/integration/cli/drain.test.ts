import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { GatewayConfig } from "spillway";
import { startNumberedClient } from "../../support/numbered-client.ts";
import { startNumberedUpstream } from "../../support/numbered-upstream.js";
import { freePort } from "../../support/ports.ts";
import { startCli, type Program } from "../../support/process.ts";
import { eventually } from "../../support/reader.ts";

const cleanUps: Array<() => Promise<unknown> | void> = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

interface Server {
  readonly program: Program;
  readonly port: number;
  readonly url: string;
  /** Starts it again over the same log. */
  start(): Promise<void>;
}

async function serve(config: GatewayConfig): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), "spillway-drain-"));
  const port = await freePort();
  const file = join(folder, "spillway.json");
  const access = { anonymous: ["subscribe", "publish", "admin"] };
  await writeFile(file, JSON.stringify({ listen: port, store: `sqlite:${folder}/log.db`, access, ...config }));
  let program: Program;
  const start = async (): Promise<void> => {
    program = startCli("serve", "--config", file);
    await program.printed('"listening"');
  };
  await start();
  cleanUps.push(async () => {
    await program.kill("SIGKILL");
    await rm(folder, { recursive: true });
  });
  return {
    get program() {
      return program;
    },
    port,
    url: `http://127.0.0.1:${port}`,
    start,
  };
}

/** A connection and its received data. */
interface Client {
  readonly socket: Socket;
  text: string;
  /** By the server, in order. */
  ended: boolean;
}

function send(port: number, request: string): Client {
  const socket = connect(port, "127.0.0.1");
  const client: Client = { socket, text: "", ended: false };
  socket.setEncoding("latin1");
  socket.on("data", (text: string) => (client.text += text));
  socket.on("end", () => (client.ended = true));
  socket.on("error", () => {});
  socket.write(request);
  cleanUps.push(() => void socket.destroy());
  return client;
}

const asks = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`;

/** Connects this many subscribers, a few at a time, because the kernel's accept queue may be short. */
async function subscribe({ port }: Server, path: string, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    const some = Array.from({ length: Math.min(100, count - clients.length) }, () => send(port, asks(path)));
    await eventually(() => some.every(({ text }) => text.includes("event: connected")), "their subscriptions");
    clients.push(...some);
  }
  return clients;
}

/** A request that only ends when released: the drain waits for it. */
async function unfinished({ port }: Server, stream: string): Promise<Client> {
  const head = `POST /streams/${stream}/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json`;
  const client = send(port, `${head}\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n`);
  await eventually(() => client.text.includes("100 Continue"), "the word to go on");
  return client;
}

interface Bye {
  readonly reason: string;
  readonly retry: number;
}

/** The goodbye at the end of the received data, followed only by the end of the chunked body. */
function byeOf({ text }: Client): Bye & { readonly field: number } {
  const [, field, data] = /event: spillway\.bye\nretry: (\d+)\ndata: (\{.*\})\n\n\r\n0\r\n\r\n$/.exec(text) ?? [];
  if (data === undefined) throw new Error(`no goodbye: ${text.slice(-300)}`);
  return { ...(JSON.parse(data) as Bye), field: Number(field) };
}

interface Ended {
  readonly time: string;
  readonly msg: string;
  readonly reason: string;
}

/** When the subscriptions ended according to the server, in ms. */
function endsOf(program: Program): number[] {
  return program
    .output()
    .split("\n")
    .filter((line) => line.includes('"subscription ended"'))
    .map((line) => JSON.parse(line) as Ended)
    .filter(({ reason }) => reason === "drain")
    .map(({ time }) => Date.parse(time));
}

const processes = [
  { name: "one process", workers: 1 },
  { name: "two workers", workers: 2 },
];

describe.each(processes)("SIGTERM to $name", ({ workers }) => {
  test("with 1,000 clients: all get a goodbye with different delays, the ends are spread over time, and no logged event is lost", async () => {
    const source = await startNumberedUpstream({ rate: 100 });
    cleanUps.push(() => source.close());
    const upstream = { url: source.url, backoff: { min: "10ms", max: "50ms" } } as const;
    const server = await serve({ workers, drain: "20s", streams: { numbers: { upstream }, quiet: {} } });
    const numbered = Array.from({ length: 4 }, () => startNumberedClient(`${server.url}/streams/numbers`));
    cleanUps.push(() => numbered.forEach((client) => client.close()));
    const clients = await subscribe(server, "/streams/quiet", 1000);
    await eventually(() => numbered.every(({ last }) => last > 20), "the flow");

    expect(await server.program.kill("SIGTERM")).toBe(0);
    await eventually(() => clients.every(({ ended }) => ended), "every end");
    const byes = clients.map(byeOf);
    expect(new Set(byes.map(({ reason }) => reason))).toEqual(new Set(["drain"]));
    expect(byes.filter(({ retry, field }) => retry !== field)).toEqual([]);
    const retries = byes.map(({ retry }) => retry);
    expect(Math.min(...retries)).toBeGreaterThanOrEqual(1000);
    expect(Math.max(...retries)).toBeLessThanOrEqual(5000);
    expect(new Set(retries).size).toBeGreaterThan(40);
    for (const half of [retries.filter((retry) => retry < 3000), retries.filter((retry) => retry >= 3000)]) {
      // 500 are expected, with a deviation of 16.
      expect(half.length).toBeGreaterThan(350);
    }

    // At most a thousand leave per second: of 1,004, the last 100 leave 0.8 s after the first.
    const ends = endsOf(server.program).toSorted((a, b) => a - b);
    expect(ends).toHaveLength(1004);
    expect(new Set(ends).size).toBeGreaterThan(20);
    expect(ends.at(-100)! - ends[0]!).toBeGreaterThanOrEqual(800);

    await server.start();
    source.control({ set: { rate: 0 } });
    const { last, maxOpen } = source.state();
    await eventually(() => numbered.every((client) => client.last >= last), `everyone at ${last}`);
    expect(numbered.map((client) => [client.last, client.faults])).toEqual(numbered.map(() => [last, []]));
    expect(maxOpen).toBe(1);
  });

  test("no new connections are accepted, the gateway is not ready, and requests in progress finish", async () => {
    const server = await serve({ workers, drain: "1h", streams: { s: {} } });
    const poll = `GET /streams/s?wait=60 HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n`;
    const ready = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const publishing = await unfinished(server, "s");
    const [reader] = await subscribe(server, "/streams/s", 1);
    const polling = send(server.port, ready + poll);
    await eventually(() => polling.text.includes("200 OK"), "the first answer");
    server.program.process.kill("SIGTERM");
    await eventually(() => reader!.ended && polling.ended, "their ends");
    expect(byeOf(reader!).reason).toBe("drain");
    // It was ready, and held the poll until it had to stop.
    expect(polling.text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200"]);
    await expect(fetch(`${server.url}/healthz`)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
    expect(server.program.process.exitCode).toBeNull();
    const exited = once(server.program.process, "exit");
    publishing.socket.write(`{"data":"x"}${ready}`);
    expect(await exited).toEqual([0, null]);
    await eventually(() => publishing.ended, "its end");
    expect(publishing.text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 100", "HTTP/1.1 200", "HTTP/1.1 503"]);
    expect(publishing.text).toContain('{"status":"unavailable","reasons":["shutting-down"]}');
    await server.start();
    const logged = await fetch(`${server.url}/streams/s?after=earliest`, { headers: { accept: "application/json" } });
    expect(((await logged.json()) as { events: unknown[] }).events).toHaveLength(1);
  });

  test("without clients, and with idle connections only, there is nothing to wait for", async () => {
    const server = await serve({ workers, drain: "1h", streams: { s: {} } });
    const idle = send(server.port, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const silent = send(server.port, "");
    const half = send(server.port, "GET /healthz HTT");
    await eventually(() => idle.text.includes('{"status":"ok"}'), "the answer");
    await eventually(() => [silent, half].every(({ socket }) => !socket.connecting), "their connections");
    expect(await server.program.kill("SIGTERM")).toBe(0);
  });

  test("clients that read nothing cannot delay it beyond the drain time", async () => {
    const server = await serve({ workers, drain: "1s", streams: { s: {} } });
    const clients = await subscribe(server, "/streams/s", 8);
    const stalled = clients.slice(0, 4);
    for (const { socket } of stalled) socket.pause();
    const headers = { "content-type": "application/json", "connection": "close" };
    const body = JSON.stringify({ data: "x".repeat(500_000) });
    const unsent = async (): Promise<number> => {
      const status = await fetch(`${server.url}/status`, { headers: { connection: "close" } });
      return ((await status.json()) as { streams: { s: { unsent: number } } }).streams.s.unsent;
    };
    await eventually(async () => {
      await fetch(`${server.url}/streams/s/events`, { method: "POST", headers, body });
      return (await unsent()) > 4 * 100_000;
    }, "full sockets");
    expect(await server.program.kill("SIGTERM")).toBe(0);
    const others = clients.slice(4);
    await eventually(() => others.every(({ ended }) => ended), "the ends of the others");
    expect(others.map((client) => byeOf(client).reason)).toEqual(others.map(() => "drain"));
  });

  test("a second signal ends it at once", async () => {
    const server = await serve({ workers, drain: "1h", streams: { s: {} } });
    const held = await unfinished(server, "s");
    const clients = await subscribe(server, "/streams/s", 50);
    server.program.process.kill("SIGTERM");
    await server.program.printed('"stopping"');
    expect(await server.program.insist("SIGTERM")).toBe(143);
    await eventually(() => [held, ...clients].every(({ socket }) => socket.destroyed), "the end of all connections");
  });
});
