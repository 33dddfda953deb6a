/** Spillway as its users run it: the command line, a configuration file, the default durability. */
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startProgram } from "../processes.js";

const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
/** For profiles: flags of Node.js such as `--cpu-prof`. */
const nodeFlags = (process.env.BENCH_NODE_FLAGS ?? "").split(" ").filter(Boolean);
const manifest = new URL("../../package.json", import.meta.url);

/** With a log in SQLite, every commit synced to the disk. */
export const spillway = describe("spillway", "durable: SQLite, `synchronous=FULL`", (directory) => {
  return `sqlite:${join(directory, "spillway.db")}`;
});

/** With a log in memory. */
export const spillwayMemory = describe("spillway-memory", "log in memory", () => "memory:");

/**
 * @param {string} name
 * @param {string} note
 * @param {(directory: string) => string} store
 * @returns {import("../types.d.ts").Server}
 */
function describe(name, note, store) {
  return {
    name,
    note,
    ours: true,
    features: ["channels", "replay", "ingest"],
    filesPerClient: 1,
    source: "one",
    missing: async () => (existsSync(cli) ? undefined : "it is not built: npm run build"),
    version: async () =>
      `spillway ${JSON.parse(readFileSync(manifest, "utf8")).version} on Node.js ${process.version.slice(1)}`,
    async start({ origin, cpus, directory, channels }) {
      const config = join(directory, "spillway.json");
      await writeFile(config, JSON.stringify(configuration(origin, store(directory), channels)));
      const program = await startProgram(process.execPath, [...nodeFlags, cli, "serve", "--config", config], {
        cpus,
        cwd: directory,
        ready: (line) => /"address":"(http:[^"]+)"/.exec(line)?.[1],
      });
      return {
        pid: program.pid,
        url: program.url,
        path: (channel) => (channels > 0 ? `/streams/bench?channels=${channel}` : "/streams/bench"),
        stored: (count) => stored(program.url, count),
        stop: program.stop,
      };
    },
  };
}

/**
 * @param {string} origin
 * @param {string} store
 * @param {number} channels
 */
function configuration(origin, store, channels) {
  const stream = { upstream: { url: origin }, ...(channels > 0 ? { channel: "/c" } : {}) };
  return { listen: "127.0.0.1:0", store, streams: { bench: stream } };
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
