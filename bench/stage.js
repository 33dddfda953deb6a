/** The processes of one measurement: the origin, the server, the load client. Each measurement has new ones. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { usageOf } from "./measure.js";
import { startHelper } from "./processes.js";

/** @typedef {import("./types.d.ts").Server} Server */
/** @typedef {import("./types.d.ts").Emitter} Emitter */

/** How often the server's memory is looked at while it is measured, in ms. */
const rssPeriod = 200;

/**
 * Starts what a measurement needs, does it, and ends all of it, whatever happens.
 * @template T
 * @param {Server} server
 * @param {import("./types.d.ts").Numbers} numbers
 * @param {import("./cores.js").Cores} cores
 * @param {(stage: import("./types.d.ts").Stage) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function onStage(server, { size = 200, channels = 0 }, cores, work) {
  const directory = mkdtempSync(join(tmpdir(), "spillway-bench-"));
  const clear = () => rmSync(directory, { recursive: true, force: true });
  // For a benchmark that is interrupted.
  process.once("exit", clear);
  /** @type {(() => Promise<void>)[]} */
  const cleanups = [];
  try {
    const origin = startHelper("origin.js", { cpus: cores.load });
    cleanups.push(origin.stop);
    const url = await origin.call("start", { size, channels });
    const running = await server.start({ origin: url, cpus: cores.server, directory, channels });
    cleanups.push(running.stop);
    if (running.publish !== undefined) await origin.call("publishTo", { url: running.publish });
    if (server.source === "one") await until(async () => (await origin.call("subscribers")) > 0);

    const clients = startClients(cores);
    cleanups.push(clients.stop);
    const busy = () => usageOf(origin.pid).cpu + clients.cpu();
    return await work({
      running,
      emit: running.emit ?? emitterOf(origin),
      open: (options) => clients.open(options, running, channels),
      measure: (measured) => measure(running.pid, busy, cores.loadCount, measured),
      rss: () => usageOf(running.pid).rss,
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
    stop: () => call("stop"),
  };
}

/** The load client, and a second one for connections that are watched apart; each starts with its first group. */
function startClients(/** @type {import("./cores.js").Cores} */ cores) {
  /** @type {Map<boolean, ReturnType<typeof startHelper>>} */
  const helpers = new Map();
  let groups = 0;

  /** @param {boolean} apart */
  function helperFor(apart) {
    let helper = helpers.get(apart);
    if (!helper) {
      helper = startHelper("load-client.js", { cpus: cores.load, priority: apart ? -10 : 0 });
      helpers.set(apart, helper);
    }
    return helper;
  }

  return {
    /**
     * @param {import("./types.d.ts").OpenOptions} options
     * @param {import("./types.d.ts").Running} running
     * @param {number} channels
     * @returns {Promise<import("./types.d.ts").LoadGroup>}
     */
    async open({ apart = false, ...options }, running, channels) {
      const { call } = helperFor(apart);
      const name = `group-${++groups}`;
      const { hostname: host, port } = new URL(running.url);
      const names = channels > 0 ? Array.from({ length: channels }, (_, index) => `c${index}`) : [""];
      const paths = names.map((channel) => running.path(channel));
      const { seconds } = await call("open", { ...options, name, host, port: Number(port), paths });
      return {
        seconds,
        mark: () => call("mark", { name }),
        async completed(last, timeout) {
          await call("completed", { name, last, timeout: timeout * 1000 });
        },
        report: () => call("report", { name }),
        lastId: () => call("lastId", { name }),
        resume: () => call("resume", { name }),
      };
    },
    cpu: () => [...helpers.values()].reduce((sum, { pid }) => sum + usageOf(pid).cpu, 0),
    async stop() {
      for (const helper of helpers.values()) await helper.stop();
    },
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
  const before = usageOf(pid);
  const busyBefore = busy();
  const startedAt = performance.now();
  let { rss } = before;
  const timer = setInterval(() => (rss = Math.max(rss, usageOf(pid).rss)), rssPeriod);
  try {
    const result = await work();
    const after = usageOf(pid);
    const seconds = (performance.now() - startedAt) / 1000;
    return {
      result,
      seconds,
      cpu: after.cpu - before.cpu,
      rss: Math.max(rss, after.rss),
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
