/** Spillway as users run it: the command line, a configuration file, and the default durability. */
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { usageOf } from "../measure.js";
import { startProgram } from "../processes.js";

const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
/** For profiles: flags of Node.js such as `--cpu-prof`. */
const nodeFlags = (process.env.BENCH_NODE_FLAGS ?? "").split(" ").filter(Boolean);
const manifest = new URL("../../package.json", import.meta.url);
export const version = `spillway ${JSON.parse(readFileSync(manifest, "utf8")).version} on Node.js ${process.version.slice(1)}`;

/** @type {import("../types.d.ts").Feature[]} */
const features = ["channels", "replay", "ingest"];

/** With a log in SQLite, every commit synced to the disk. */
export const spillway = describe(
  { name: "spillway", note: "durable: SQLite, `synchronous=FULL`", features: [...features, "routes"] },
  (directory) => `sqlite:${join(directory, "spillway.db")}`,
);

/** With a log in memory. */
export const spillwayMemory = describe(
  { name: "spillway-memory", note: "log in memory", runs: 1, features },
  () => "memory:",
);

/**
 * @param {Pick<import("../types.d.ts").Server, "name" | "note" | "runs" | "features">} own
 * @param {(directory: string) => string} store
 * @returns {import("../types.d.ts").Server}
 */
function describe(own, store) {
  return {
    ...own,
    ours: true,
    filesPerClient: 1,
    source: "one",
    async missing() {
      requireBuilt();
      return undefined;
    },
    version: async () => version,
    start: (context) => startSpillway(context, store(context.directory)),
  };
}

/** @throws {Error} if there is nothing to measure */
export function requireBuilt() {
  if (!existsSync(cli)) throw new Error("spillway is not built: npm run build");
}

/**
 * Starts a process with a store URL and additional configuration.
 * @param {import("../types.d.ts").StartContext} context
 * @param {string} store
 * @param {object} [more]
 * @returns {Promise<import("../types.d.ts").Running>}
 */
export async function startSpillway({ origin, cpus, directory, settings }, store, more = {}) {
  const config = join(directory, "spillway.json");
  await writeFile(config, JSON.stringify({ ...configuration(origin, store, settings), ...more }));
  const begun = performance.now();
  const program = await startProgram(process.execPath, [...nodeFlags, cli, "serve", "--config", config], {
    cpus,
    cwd: directory,
    ready: (line) => /"address":"(http:[^"]+)"/.exec(line)?.[1],
  });
  return {
    pid: program.pid,
    url: program.url,
    started: { after: performance.now() - begun, cpu: usageOf(program.pid).cpu },
    path: (channel) => pathOf(channel, settings),
    health: "/healthz",
    stored: (count) => stored(program.url, count),
    stop: program.stop,
  };
}

/**
 * @param {string} channel
 * @param {import("../types.d.ts").Settings} settings
 */
function pathOf(channel, { routes, filters }) {
  if (routes) return "/events";
  if (channel === "") return "/streams/bench";
  const expression = encodeURIComponent(`data.n > 0 && data.c == "${channel}"`);
  return `/streams/bench?${filters ? `filter=${expression}` : `channels=${channel}`}`;
}

/**
 * @param {string} origin
 * @param {string} store
 * @param {import("../types.d.ts").Settings} settings
 */
function configuration(origin, store, { channels, filters, coalesce, workers, streams, onDemand, routes }) {
  const stream = {
    upstream: { url: origin },
    ...(channels > 0 && !filters ? { channel: "/c" } : {}),
    ...(coalesce > 0 ? { coalesce: `${coalesce}ms` } : {}),
  };
  const pattern = { onDemand: { streams: onDemand, rate: "none" } };
  const published = Array.from({ length: streams }, (_, index) => [`s${index + 1}`, {}]);
  return {
    listen: "127.0.0.1:0",
    store,
    ...(workers > 1 ? { workers } : {}),
    ...(streams > 0 ? { access: { anonymous: ["subscribe", "publish", "admin"] } } : {}),
    ...(routes
      ? { routes: { "/**": { upstream: { url: new URL(origin).origin, connections: 100_000 }, access: "none" } } }
      : { streams: { bench: stream, ...Object.fromEntries(published), ...(onDemand > 0 ? { "d-*": pattern } : {}) } }),
  };
}

/**
 * Asks for the log's head until it holds so many events.
 * @param {string} url
 * @param {number} count
 */
async function stored(url, count) {
  for (;;) {
    const { streams } = /** @type {any} */ (await (await fetch(`${url}/streams`)).json());
    if (Number(streams[0].head.split(".")[1]) >= count) return;
    await setTimeout(10);
  }
}
