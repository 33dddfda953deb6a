/** The processes of one measurement: the origin, the server, the load client. Each measurement has new ones. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { startClients } from "./clients.js";
import { coresFor } from "./cores.js";
import { pssOf, usageOf, usageOfEach } from "./measure.js";
import { startHelper } from "./processes.js";

/** @typedef {import("./types.d.ts").Server} Server */
/** @typedef {import("./types.d.ts").Emitter} Emitter */

/** Interval between samples of the server's memory, in ms. */
const rssPeriod = 200;

/**
 * Starts the processes for a measurement, runs it, and always ends all of them.
 * @template T
 * @param {Server} server
 * @param {import("./types.d.ts").Numbers} numbers
 * @param {(stage: import("./types.d.ts").Stage) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function onStage(server, numbers, work) {
  const { size = 200, channels = 0, filters = 0, coalesce = 0, workers = 1, streams = 0, routes = 0 } = numbers;
  const { onDemand = 0 } = numbers;
  const { cores: count = 1 } = numbers;
  const cores = coresFor(count);
  const directory = mkdtempSync(join(tmpdir(), "spillway-bench-"));
  const clear = () => rmSync(directory, { recursive: true, force: true });
  // For an interrupted benchmark.
  process.once("exit", clear);
  /** @type {(() => Promise<void>)[]} */
  const cleanups = [];
  try {
    const origin = startHelper(routes > 0 ? "pair-origin.js" : "origin.js", { cpus: cores.load });
    cleanups.push(origin.stop);
    const url = await origin.call("start", { size, channels });
    const settings = { channels, filters: filters > 0, coalesce, workers, streams, onDemand, routes: routes > 0 };
    const running = await server.start({ origin: url, cpus: cores.server, directory, settings });
    cleanups.push(running.stop);
    if (running.publish !== undefined) await origin.call("publishTo", { url: running.publish });
    if (server.source === "one" && !settings.routes) await until(async () => (await origin.call("subscribers")) > 0);

    const clients = startClients(cores, running, channels);
    cleanups.push(clients.stop);
    const busy = () => usageOf(origin.pid).cpu + clients.cpu();
    return await work({
      running,
      emit: running.emit ?? emitterOf(origin),
      open: clients.open,
      request: (connections, seconds) => clients.request({ connections, seconds, size }),
      origin: url,
      probe: clients.probe,
      measure: (measured) => measure(running.pid, busy, cores.loadCount, measured),
      rss: () => usageOf(running.pid).rss,
      pss: () => pssOf(running.pid),
    });
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup();
    clear();
    process.off("exit", clear);
  }
}

/** @returns {Emitter} */
function emitterOf(/** @type {ReturnType<typeof startHelper>} */ { call }) {
  return {
    paced: (rate, count) => call("paced", { rate, count }),
    burst: (count) => call("burst", { count }),
    flood: (seconds) => call("flood", { seconds }),
    fill: (count) => call("flood", { count }),
    stop: () => call("stop"),
  };
}

/**
 * @template T
 * @param {number} pid
 * @param {() => number} busy
 * @param {number} loadCount
 * @param {() => Promise<T>} work
 */
async function measure(pid, busy, loadCount, work) {
  const before = usageOfEach(pid);
  const busyBefore = busy();
  const startedAt = performance.now();
  let { rss } = usageOf(pid);
  const timer = setInterval(() => (rss = Math.max(rss, usageOf(pid).rss)), rssPeriod);
  try {
    const result = await work();
    const after = usageOfEach(pid);
    const seconds = (performance.now() - startedAt) / 1000;
    const cpuOfEach = after.map((each) => each.cpu - (before.find((one) => one.pid === each.pid)?.cpu ?? 0));
    return {
      result,
      seconds,
      cpu: cpuOfEach.reduce((sum, cpu) => sum + cpu, 0),
      cpuOfEach,
      rss: Math.max(rss, usageOf(pid).rss),
      loadBusy: (busy() - busyBefore) / 1e6 / seconds / loadCount,
    };
  } finally {
    clearInterval(timer);
  }
}

/** @param {() => Promise<boolean>} condition */
export async function until(condition, timeout = 20_000) {
  const deadline = performance.now() + timeout;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error("the server did not connect to the origin");
    await setTimeout(10);
  }
}
