/**
 * The demo that `npm start` runs: a market feed, a language model and the gateway, each in a process of its own, and a page
 * whose buttons kill them. `PORT` sets the page's port (default 8080). Everything listens on 127.0.0.1 only.
 */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createControl } from "./control.js";
import { startNetwork } from "./network.js";
import { servePage } from "./page.js";
import { superviseProcess } from "./supervised-process.js";

const port = Number(process.env.PORT || 8080);
const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url));
const spillway = fileURLToPath(new URL("dist/cli/main.js", import.meta.resolve("spillway/package.json")));

/** Run in reverse order at the end. */
const cleanups = [];
let stopping;

async function main() {
  // Until everything runs, a browser comes back by itself.
  let answer = (_, response) => response.writeHead(503, { refresh: "1" }).end("The demo is starting\n");
  const server = createServer((request, response) => answer(request, response)).listen(port, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const hosts = ["127.0.0.1", "localhost"].map((name) => `${name}:${server.address().port}`);
  const origins = hosts.map((host) => `http://${host}`);

  const parts = await startParts(origins);
  const control = createControl(
    parts,
    ({ method, headers }) =>
      // A page whose name was made to resolve to 127.0.0.1 has another `Host`; any other page has another `Origin`.
      hosts.includes(headers.host) && (method === "GET" || origins.includes(headers.origin)),
  );
  answer = (request, response) => {
    if (request.url.startsWith("/control/")) return control(request, response);
    if (!servePage(request, response, parts.network.origin)) response.writeHead(404).end("not found\n");
  };
  console.log(`Spillway's demo is at ${origins[0]}/ (Ctrl-C stops it)`);
  console.log(`The stream in a terminal: curl -N ${parts.gateway.origin}/streams/market`);
}

/** Starts the processes. Their log is in a new directory, which is removed at the end. */
async function startParts([origin, localhost]) {
  const directory = await mkdtemp(join(tmpdir(), "spillway-demo-"));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  const feedKey = randomBytes(16).toString("hex");
  const key = `spw_${randomBytes(24).toString("base64url")}`;

  const [source, model] = await Promise.all([
    start("source", [pathOf("feed.js")], (own) => ({ FEED_API_KEY: feedKey, FEED_PORT: own }), 2_000),
    start("model", [pathOf("model.js")], (own) => ({ MODEL_PORT: own })),
  ]);
  const gatewayEnv = (own) => ({
    GATEWAY_PORT: own,
    FEED_URL: `${source.origin}/events?api-key=${feedKey}`,
    MODEL_URL: model.origin,
    DEMO_KEY_HASH: `sha256:${createHash("sha256").update(key).digest("hex")}`,
    PAGE_ORIGIN: origin,
    PAGE_ORIGIN_LOCALHOST: localhost,
  });
  const endWithParent = new URL("end-with-parent.js", import.meta.url).href;
  const serve = ["--import", endWithParent, spillway, "serve", "--config", pathOf("spillway.yaml")];
  const gateway = await start("gateway", serve, gatewayEnv, 0, directory);
  const network = await startNetwork(Number(new URL(gateway.origin).port));
  cleanups.push(() => network.close());
  return { source, model, gateway, network, key };
}

async function start(name, command, env, restartDelay = 500, cwd) {
  const part = superviseProcess({ name, command, env, restartDelay, cwd });
  cleanups.push(() => part.stop());
  await part.ready;
  return part;
}

function stop(exitCode) {
  return (stopping ??= (async () => {
    if (exitCode === 0) console.log("Stopping");
    for (const cleanup of cleanups.toReversed()) await cleanup();
    process.exit(exitCode);
  })());
}

function explain(error) {
  if (error.code !== "EADDRINUSE") return error.message;
  return `port ${port} on 127.0.0.1 is in use; choose another one with PORT=<number>`;
}

async function fail(error) {
  console.error(`spillway demo: ${explain(error)}`);
  await stop(1);
}

// Not `once`: npm forwards the Ctrl-C that the terminal has already sent, and a second one would kill the process early.
process.on("SIGINT", () => stop(0));
process.on("SIGTERM", () => stop(0));
main().catch(fail);
