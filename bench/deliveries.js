/**
 * What webhooks cost: `node bench/deliveries.js`, after `npm run build`. The gateway, the endpoint and this script are processes of
 * their own; with `taskset` the gateway has a core for itself. The log is in SQLite with `synchronous=FULL`.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createGateway } from "../dist/index.js";

const events = Number(process.env["EVENTS"] ?? 20_000);
const rounds = Number(process.env["ROUNDS"] ?? 3);
const secret = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
/** How often single events are published once the backlog is delivered, and for how long, in ms. */
const paced = { every: 10, time: Number(process.env["PACED"] ?? 10_000) };

const delivery = { stream: "orders", sign: { secret }, allowPrivate: true };

/** A delivery to each endpoint. @param {readonly string[]} failing */
const deliveriesTo = (failing) =>
  Object.fromEntries(failing.map((url, index) => [`failing-${index}`, { ...delivery, url }]));

/** The data of an event of 200 bytes with the time, in ms, at which it was made. */
const dataNow = () => JSON.stringify({ at: performance.timeOrigin + performance.now(), text: "x".repeat(160) });

/** An endpoint that accepts everything, or never answers. Tells its port, and the delays of events on request. @param {string} kind */
async function serveEndpoint(kind) {
  /** @type {number[]} */
  let delays = [];
  process.on("message", () => {
    delays.sort((one, other) => one - other);
    process.send?.([0.5, 0.99].map((share) => delays[Math.floor(delays.length * share)] ?? NaN));
    delays = [];
  });
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => (body += piece));
    request.on("end", () => {
      if (kind !== "accepting") return;
      delays.push(performance.timeOrigin + performance.now() - JSON.parse(body).at);
      response.writeHead(204).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  process.send?.(/** @type {import("node:net").AddressInfo} */ (server.address()).port);
}

/**
 * Sends the events of one stream to one endpoint, beside others that fail.
 * @param {string} url
 * @param {readonly string[]} failing
 */
async function serveGateway(url, ...failing) {
  const folder = mkdtempSync(join(tmpdir(), "spillway-bench-"));
  const gateway = await createGateway({
    store: `sqlite:${folder}/log.db`,
    streams: { orders: {} },
    deliveries: { ...deliveriesTo(failing), billing: { ...delivery, url, parallel: 10 } },
  });
  await gateway.deliveries.pause("billing");
  for (let sent = 0; sent < events; sent += 1000) {
    const batch = Array.from({ length: 1000 }, (_, index) => ({ data: dataNow(), channel: `c${index % 100}` }));
    await gateway.publish("orders", batch);
  }
  // What fails has settled.
  await setTimeout(failing.length > 0 ? 3000 : 500);
  const delivered = () => gateway.deliveries.status()["billing"]?.delivered ?? 0;
  /** @param {number} count @param {() => Promise<unknown>} work */
  const timed = async (count, work) => {
    const [begun, used, before] = [performance.now(), process.cpuUsage(), delivered()];
    await work();
    while (delivered() < before + count) await setTimeout(10);
    const { user, system } = process.cpuUsage(used);
    return { perSecond: (count / (performance.now() - begun)) * 1000, cpu: (user + system) / count };
  };
  const backlog = await timed(events, () => gateway.deliveries.resume("billing"));
  process.send?.("backlog delivered");
  await once(process, "message");
  const single = await timed(paced.time / paced.every, async () => {
    for (let sent = 0; sent < paced.time / paced.every; sent++) {
      await gateway.publish("orders", { data: dataNow(), channel: `c${sent % 100}` });
      await setTimeout(paced.every);
    }
  });
  process.send?.({ backlog, single, rss: process.memoryUsage().rss / 2 ** 20 });
  await gateway.close();
  rmSync(folder, { recursive: true });
}

/**
 * What endpoints that take nothing cost for each event of their stream, without a disk. Tells the CPU time per event in µs.
 * @param {readonly string[]} failing
 */
async function serveDead(...failing) {
  const gateway = await createGateway({
    store: "memory:",
    streams: { orders: {} },
    deliveries: deliveriesTo(failing),
  });
  let sent = 0;
  const publish = () => gateway.publish("orders", { data: dataNow(), channel: `c${sent++ % 100}` });
  for (let n = 0; n < 5000; n++) await publish();
  // What fails has settled.
  await setTimeout(3000);
  const used = process.cpuUsage();
  for (let n = 0; n < events; n++) await publish();
  const { user, system } = process.cpuUsage(used);
  process.send?.((user + system) / events);
  await gateway.close();
}

/** @param {readonly string[]} args @param {string} [cpus] */
function start(args, cpus) {
  const script = fileURLToPath(import.meta.url);
  const options = cpus === undefined ? {} : { execPath: "taskset", execArgv: ["-c", cpus, process.execPath] };
  return fork(script, args, { ...options, env: { ...process.env, EVENTS: String(events) } });
}

/** @param {import("node:child_process").ChildProcess} endpoint @returns {Promise<number[]>} */
async function delaysOf(endpoint) {
  endpoint.send("report");
  return (await once(endpoint, "message"))[0];
}

async function measure() {
  const accepting = start(["endpoint", "accepting"]);
  const hanging = start(["endpoint", "hanging"]);
  const [[port], [hangingPort]] = await Promise.all([once(accepting, "message"), once(hanging, "message")]);
  const url = `http://127.0.0.1:${port}/hook`;
  const refusing = "http://127.0.0.1:9/hook";
  const cases = {
    "one endpoint": [url],
    "beside one that refuses connections": [url, refusing],
    "beside one that hangs": [url, `http://127.0.0.1:${hangingPort}/hook`],
  };
  for (let round = 1; round <= rounds; round++) {
    for (const [name, urls] of Object.entries(cases)) {
      const gateway = start(["gateway", ...urls], process.env["CPUS"]);
      await once(gateway, "message");
      await delaysOf(accepting);
      gateway.send("continue");
      const [{ backlog, single, rss }] = await once(gateway, "message");
      const [p50, p99] = await delaysOf(accepting);
      console.log(
        `${name}: backlog ${backlog.perSecond.toFixed(0)}/s, ${backlog.cpu.toFixed(1)} µs of CPU each; single events ` +
          `${single.cpu.toFixed(1)} µs each, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms; RSS ${rss.toFixed(0)} MiB`,
      );
      await once(gateway, "exit");
    }
  }
  await measureDead(refusing, `http://127.0.0.1:${hangingPort}/hook`);
  accepting.kill();
  hanging.kill();
}

/** @param {string} refusing @param {string} hanging */
async function measureDead(refusing, hanging) {
  const cases = {
    "no endpoint": [],
    "one that refuses connections": [refusing],
    "five that refuse connections": [refusing, refusing, refusing, refusing, refusing],
    "one that hangs": [hanging],
  };
  for (let round = 1; round <= rounds; round++) {
    for (const [name, urls] of Object.entries(cases)) {
      const [cpu] = await once(start(["dead", ...urls], process.env["CPUS"]), "message");
      console.log(`${name}: ${cpu.toFixed(2)} µs of CPU for each event of the stream`);
    }
  }
}

const [role, ...args] = process.argv.slice(2);
if (role === "endpoint") await serveEndpoint(args[0] ?? "");
else if (role === "gateway") await serveGateway(args[0] ?? "", ...args.slice(1));
else if (role === "dead") await serveDead(...args);
else await measure();
