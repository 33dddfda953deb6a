/**
 * What runs cost: `node bench/runs.js`, after `npm run build`. The gateway, the API and the clients are processes of their own; with
 * `CPUS` the gateway has these cores for itself. The log is in SQLite with `synchronous=FULL`.
 */
import { execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createGateway } from "../dist/index.js";

const seconds = Number(process.env["SECONDS"] ?? 10);
const many = Number(process.env["RUNS"] ?? 500);
const finished = Number(process.env["FINISHED"] ?? 10_000);

const now = () => performance.timeOrigin + performance.now();

/** Tokens as chunks of OpenAI's chat completions, each with its time in ms. @param {number} count */
const tokens = (count) =>
  Array.from({ length: count }, () => `data: {"at":${now()},"choices":[{"index":0,"delta":{"content":" token"}}]}\n\n`);

/** An API: `?rate=` tokens a second for `?seconds=`, or `?burst=` tokens at once. */
async function serveApi() {
  const server = createServer((incoming, response) => {
    const { searchParams } = new URL(incoming.url ?? "/", "http://localhost");
    const number = (/** @type {string} */ name) => Number(searchParams.get(name) ?? 0);
    incoming.resume();
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (number("burst") > 0) return void response.end(`${tokens(number("burst")).join("")}data: [DONE]\n\n`);
    const [every, count] = [1000 / number("rate"), number("rate") * number("seconds")];
    let sent = 0;
    const timer = setInterval(() => {
      response.write(tokens(1)[0]);
      if (++sent < count) return;
      clearInterval(timer);
      response.end("data: [DONE]\n\n");
    }, every);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  process.send?.(/** @type {import("node:net").AddressInfo} */ (server.address()).port);
}

/** @param {string} api @param {string} folder */
async function serveGateway(api, folder) {
  const begun = performance.now();
  const limits = { perSubject: "none" };
  const upstream = { url: api, connections: 10_000 };
  const gateway = await createGateway({
    listen: 0,
    store: `sqlite:${folder}/log.db`,
    limits: { runs: "20GiB" },
    runs: { "/**": { upstream, dialect: "openai", limits } },
  });
  const { port } = await gateway.listen();
  process.send?.({ port, startedIn: performance.now() - begun });
  let used = process.cpuUsage();
  process.on("message", () => {
    globalThis.gc?.();
    const { user, system } = process.cpuUsage(used);
    used = process.cpuUsage();
    process.send?.({ cpu: (user + system) / 1000, rss: process.memoryUsage().rss / 2 ** 20 });
  });
}

const agent = new Agent({ keepAlive: true, maxSockets: Infinity });

/**
 * Reads a response; resolves to its place, its size, and how late each token came, in ms.
 * @param {string} url @param {string} method
 * @returns {Promise<{ place: string, bytes: number, delays: number[] }>}
 */
function read(url, method) {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, agent }, (response) => {
      /** @type {number[]} */
      const delays = [];
      let [bytes, rest] = [0, ""];
      response.setEncoding("latin1").on("data", (/** @type {string} */ chunk) => {
        const at = now();
        bytes += chunk.length;
        const text = rest + chunk;
        const end = text.lastIndexOf("\n\n") + 1;
        for (const [, time] of text.slice(0, end).matchAll(/"at":([\d.]+),/g)) delays.push(at - Number(time));
        rest = text.slice(end);
      });
      response.on("end", () => resolve({ place: response.headers.location ?? "", bytes, delays }));
    });
    sent.on("error", reject).end(method === "POST" ? "{}" : undefined);
  });
}

/** @param {readonly number[]} values */
function percentiles(values) {
  const sorted = values.toSorted((one, other) => one - other);
  return [0.5, 0.99].map((share) => sorted[Math.floor(sorted.length * share)] ?? NaN);
}

/** @param {readonly number[]} values */
const shown = (values) => values.map((value) => value.toFixed(2)).join(" / ");

/** @param {string} role @param {readonly string[]} args */
function start(role, ...args) {
  const child = fork(fileURLToPath(import.meta.url), [role, ...args], { execArgv: ["--expose-gc"] });
  const cpus = process.env["CPUS"];
  if (role === "gateway" && cpus && child.pid) execFileSync("taskset", ["-acp", cpus, String(child.pid)]);
  return child;
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), "spillway-bench-"));
  const api = start("api");
  const [port] = await once(api, "message");
  const direct = `http://127.0.0.1:${port}`;
  let gateway = start("gateway", direct, folder);
  const [first] = await once(gateway, "message");
  let url = `http://127.0.0.1:${first.port}`;
  const usage = async () => {
    gateway.send("usage");
    const [use] = await once(gateway, "message");
    return /** @type {{ cpu: number, rss: number }} */ (use);
  };
  const together = async (/** @type {string} */ to, /** @type {number} */ count, /** @type {string} */ query) =>
    (await Promise.all(Array.from({ length: count }, () => read(`${to}/${query}`, "POST")))).flatMap(
      ({ delays }) => delays,
    );

  await together(url, 20, "?rate=50&seconds=1");
  const paced = `?rate=20&seconds=${seconds}`;
  console.log(`delay of a token in ms, p50 / p99, 10 responses × 20/s`);
  console.log(`  directly: ${shown(percentiles(await together(direct, 10, paced)))}`);
  console.log(`  as runs:  ${shown(percentiles(await together(url, 10, paced)))}`);

  const rate = `?rate=50&seconds=${seconds}`;
  console.log(`  directly, ${many} responses × 50/s: ${shown(percentiles(await together(direct, many, rate)))}`);
  await usage();
  const begun = performance.now();
  const delays = await together(url, many, rate);
  const time = performance.now() - begun;
  const { cpu, rss } = await usage();
  console.log(
    `${many} runs × 50/s: ${((delays.length / time) * 1000).toFixed(0)} tokens/s, ${((cpu / time) * 100).toFixed(0)} % of a core`,
  );
  console.log(
    `  ${((cpu * 1000) / delays.length).toFixed(1)} µs of CPU per token, delay ${shown(percentiles(delays))} ms, ${rss.toFixed(0)} MiB`,
  );

  const { place } = await read(`${url}/?burst=5000`, "POST");
  const times = [];
  for (let round = 0; round < 20; round++) {
    const from = performance.now();
    const { delays: got } = await read(url + place, "GET");
    if (got.length !== 5000) throw new Error(`${got.length} tokens`);
    times.push(performance.now() - from);
  }
  console.log(`5,000 tokens joined again in ms: ${shown(percentiles(times))}`);

  for (let done = 0; done < finished; done += 100)
    await Promise.all(Array.from({ length: 100 }, () => read(`${url}/?burst=20`, "POST")));
  const held = await usage();
  gateway.kill();
  await once(gateway, "exit");
  gateway = start("gateway", direct, folder);
  const [again] = await once(gateway, "message");
  url = `http://127.0.0.1:${again.port}`;
  const fresh = await usage();
  console.log(
    `${finished} finished runs: ${held.rss.toFixed(0)} MiB, after a restart ${fresh.rss.toFixed(0)} MiB, started in ${again.startedIn.toFixed(0)} ms`,
  );
  gateway.kill();
  api.kill();
  await setTimeout(100);
  rmSync(folder, { recursive: true });
  process.exit(0);
}

const [role, ...args] = process.argv.slice(2);
if (role === "api") await serveApi();
else if (role === "gateway") await serveGateway(args[0] ?? "", args[1] ?? "");
else await main();
