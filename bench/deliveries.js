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
const data = JSON.stringify({ total: 3, text: "x".repeat(180) });

/** An endpoint that accepts everything, or never answers. Prints its URL. @param {string} kind */
async function serveEndpoint(kind) {
  const server = createServer((request, response) => {
    request.resume();
    if (kind === "accepting") response.writeHead(204).end();
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
  const delivery = { stream: "orders", sign: { secret }, allowPrivate: true };
  const others = failing.map((endpoint, index) => [`failing-${index}`, { ...delivery, url: endpoint }]);
  const gateway = await createGateway({
    store: `sqlite:${folder}/log.db`,
    streams: { orders: {} },
    deliveries: { ...Object.fromEntries(others), billing: { ...delivery, url, parallel: 10 } },
  });
  await gateway.deliveries.pause("billing");
  for (let sent = 0; sent < events; sent += 1000) {
    const batch = Array.from({ length: 1000 }, (_, index) => ({ data, channel: `c${index % 100}` }));
    await gateway.publish("orders", batch);
  }
  // What fails has settled.
  await setTimeout(failing.length > 0 ? 3000 : 500);
  const delivered = () => gateway.deliveries.status()["billing"]?.delivered ?? 0;
  const [begun, used] = [performance.now(), process.cpuUsage()];
  await gateway.deliveries.resume("billing");
  while (delivered() < events) await setTimeout(10);
  const { user, system } = process.cpuUsage(used);
  const seconds = (performance.now() - begun) / 1000;
  process.send?.({
    perSecond: events / seconds,
    cpu: (user + system) / events,
    rss: process.memoryUsage().rss / 2 ** 20,
  });
  await gateway.close();
  rmSync(folder, { recursive: true });
}

/** @param {readonly string[]} args @param {string} [cpus] */
function start(args, cpus) {
  const script = fileURLToPath(import.meta.url);
  const options = cpus === undefined ? {} : { execPath: "taskset", execArgv: ["-c", cpus, process.execPath] };
  return fork(script, args, { ...options, env: { ...process.env, EVENTS: String(events) } });
}

async function measure() {
  const accepting = start(["endpoint", "accepting"]);
  const hanging = start(["endpoint", "hanging"]);
  const [[port], [hangingPort]] = await Promise.all([once(accepting, "message"), once(hanging, "message")]);
  const url = `http://127.0.0.1:${port}/hook`;
  const cases = {
    "one endpoint": [url],
    "beside one that refuses connections": [url, "http://127.0.0.1:9/hook"],
    "beside one that hangs": [url, `http://127.0.0.1:${hangingPort}/hook`],
  };
  for (let round = 1; round <= rounds; round++) {
    for (const [name, urls] of Object.entries(cases)) {
      const gateway = start(["gateway", ...urls], process.env["CPUS"]);
      const [{ perSecond, cpu, rss }] = await once(gateway, "message");
      console.log(`${name}: ${perSecond.toFixed(0)}/s, ${cpu.toFixed(1)} µs of CPU each, RSS ${rss.toFixed(0)} MiB`);
      await once(gateway, "exit");
    }
  }
  accepting.kill();
  hanging.kill();
}

const [role, first = "", ...rest] = process.argv.slice(2);
if (role === "endpoint") await serveEndpoint(first);
else if (role === "gateway") await serveGateway(first, ...rest);
else await measure();
