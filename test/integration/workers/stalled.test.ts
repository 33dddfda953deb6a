import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startNumberedClient, type NumberedClient } from "../../support/numbered-client.ts";
import { eventually } from "../../support/reader.ts";
import { startWorkers, type WorkersServer } from "../../support/workers.ts";

const workers = 3;
const padding = "x".repeat(500_000);

let server: WorkersServer;
let clients: NumberedClient[];
let sockets: Socket[];

beforeEach(async () => {
  // Connections send nothing for as long as the test takes.
  server = await startWorkers(workers, { streams: { s: {} }, limits: { timeouts: { headers: "10m" } } });
  clients = Array.from({ length: 6 }, () => startNumberedClient(`${server.url}/streams/s`));
  await eventually(async () => (await server.status()).streams["s"]!.subscribers === 6, "6 subscribers");
  sockets = [];
});

afterEach(async () => {
  for (const client of clients) client.close();
  for (const socket of sockets) socket.destroy();
  await server.close();
});

/** Stops a worker that has clients, and sees to it that it is in nobody's way: the connection that it is handed is one of these. */
async function stopOne(): Promise<{ pid: number; subscribers: number }> {
  const victim = (await server.status()).workers.find(({ subscribers }) => subscribers > 0)!;
  process.kill(victim.pid, "SIGSTOP");
  for (let n = 0; n < workers; n++) {
    const socket = connect(server.port, "127.0.0.1").on("error", () => {});
    await once(socket, "connect");
    sockets.push(socket);
    // The next one is for the next worker.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return victim;
}

async function publish(first: number, count: number): Promise<string> {
  let id = "";
  for (let n = first; n < first + count; n++) {
    const response = await server.publish("s", { data: { n, padding } });
    [id = ""] = ((await response.json()) as { ids: string[] }).ids;
  }
  return id;
}

const atEnd = (last: number): number => clients.filter((client) => client.last === last).length;

/** Megabytes of main memory. */
const memoryOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;

test("a worker that reads nothing delays no others, uses no memory of the primary, and gets everything later", async () => {
  await publish(1, 20);
  await eventually(() => atEnd(20) === 6, "everyone at 20");
  const primary = server.program.process.pid!;
  const { pid, subscribers } = await stopOne();
  await publish(21, 40);
  await eventually(() => atEnd(60) === 6 - subscribers, "the others at 60");
  const before = memoryOf(primary);
  const id = await publish(61, 120);
  await eventually(() => atEnd(180) === 6 - subscribers, "the others at 180");
  // 60 MB went by.
  expect(memoryOf(primary) - before).toBeLessThan(50);
  expect(clients.filter((client) => client.last <= 21)).toHaveLength(subscribers);

  const request = `GET /streams/s HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: ${id}\r\n\r\n`;
  const answers = sockets.map((socket) => {
    socket.write(request);
    return once(socket, "data") as Promise<[Buffer]>;
  });
  process.kill(pid, "SIGCONT");
  // Also the one that was handed to it, with an id that it does not know.
  for (const [head] of await Promise.all(answers)) expect(head.toString()).toContain("Spillway-Resume: resumed");
  await eventually(() => atEnd(180) === 6, "everyone at 180");
  await publish(181, 5);
  await eventually(() => atEnd(185) === 6, "everyone at 185");
  expect(clients.flatMap(({ faults }) => faults)).toEqual([]);
  expect(clients.every(({ connections }) => connections === 1)).toBe(true);
});

test("status and readiness do not wait for a worker that is stopped", async () => {
  await publish(1, 1);
  await eventually(() => atEnd(1) === 6, "everyone at 1");
  await server.status();
  const { pid } = await stopOne();
  for (let n = 0; n < 3; n++) {
    const status = await server.status();
    // What it reported last counts.
    expect(status.streams["s"]).toMatchObject({ subscribers: 6, delivered: 6 });
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  }
  process.kill(pid, "SIGCONT");
});

test("a client that was assigned to a worker that dies before accepting it is disconnected", async () => {
  const { pid } = await stopOne();
  const ended = Promise.race(sockets.map((socket) => once(socket, "close")));
  process.kill(pid, "SIGKILL");
  await ended;
  await publish(1, 3);
  await eventually(() => atEnd(3) === 6, "everyone at 3");
});
