import cluster from "node:cluster";
import { once } from "node:events";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, expect, test } from "vitest";
import { forkWorker, setUpWorkers, type WorkerProcess } from "../../../src/workers/primary/fork.ts";
import { eventually } from "../../support/reader.ts";

/** The worker that answered, and the process that keeps its channel open after its end. */
interface Answer {
  readonly pid: number;
  readonly keeper: number;
}

interface Started {
  readonly process: WorkerProcess;
  /** The number of clients that it reports. */
  clients: number;
  readonly ended: Promise<void>;
  readonly port: number;
}

const started: Started[] = [];
/** Of every worker that answered. */
const keepers = new Set<number>();

beforeAll(() => setUpWorkers(fileURLToPath(new URL("answering-worker.js", import.meta.url))));

afterEach(async () => {
  for (const { process: worker } of started) worker.kill();
  await Promise.all(started.map(({ ended }) => ended));
  started.length = 0;
  letGo();
});

function letGo(): void {
  for (const pid of keepers) process.kill(pid, "SIGKILL");
  keepers.clear();
}

async function start(): Promise<Started> {
  const listening = once(cluster, "listening") as Promise<[unknown, { port: number }]>;
  let onEnd = (): void => {};
  const ended = new Promise<void>((resolve) => {
    onEnd = resolve;
  });
  const worker = forkWorker({ clients: () => result.clients, onMessage() {}, onEnd: () => onEnd() });
  const result = { process: worker, clients: 0, ended, port: 0 };
  [, { port: result.port }] = await listening;
  started.push(result);
  return result;
}

/** The response on a new connection; `""` if it is closed without one. */
async function said(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1")
    .setEncoding("utf8")
    .on("error", () => {});
  let text = "";
  socket.on("data", (chunk: string) => {
    text += chunk;
  });
  await once(socket, "close");
  return text;
}

async function ask(port: number): Promise<Answer> {
  const answer = JSON.parse(await said(port)) as Answer;
  keepers.add(answer.keeper);
  return answer;
}

/** Open connections of this process, at either end. */
const openHere = (): number => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;

test("while the channel of a worker that has ended is still open, its connections go to the others", async () => {
  const [first, second] = [await start(), await start()];
  const pids = new Set<number>();
  await eventually(async () => pids.add((await ask(first.port)).pid).size === 2, "an answer from both");
  first.process.kill();
  await first.ended;
  for (let n = 0; n < 4; n++) expect((await ask(second.port)).pid).toBe(second.process.pid);
});

test("connections are assigned in turn, unless a worker has clearly fewer clients", async () => {
  const [first, second] = [await start(), await start()];
  const askOften = async (): Promise<Set<number>> => {
    const pids = new Set<number>();
    for (let n = 0; n < 6; n++) pids.add((await ask(first.port)).pid);
    return pids;
  };
  first.clients = 104;
  second.clients = 100;
  expect(await askOften()).toEqual(new Set([first.process.pid, second.process.pid]));
  first.clients = 111;
  expect(await askOften()).toEqual(new Set([second.process.pid]));
  second.clients = 130;
  expect(await askOften()).toEqual(new Set([first.process.pid]));
});

test("a connection that a worker was given but has not confirmed is closed when the worker has ended", async () => {
  const worker = await start();
  await ask(worker.port);
  process.kill(worker.process.pid, "SIGSTOP");
  await eventually(() => openHere() === 0, "the end of the connections before");
  const answer = said(worker.port);
  await eventually(() => openHere() === 2, "both ends");
  worker.process.kill();
  await worker.ended;
  letGo();
  expect(await answer).toBe("");
});
