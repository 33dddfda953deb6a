/** The processes of the load side except the origin: the load client, a second one for separately measured connections, and the prober. */
import { usageOf } from "./measure.js";
import { startHelper } from "./processes.js";

/** The nice value of processes whose times the others must not affect. */
const urgent = -10;

/**
 * Each process starts when it is first needed.
 * @param {import("./cores.js").Cores} cores
 * @param {import("./types.d.ts").Running} running
 * @param {number} channels
 */
export function startClients(cores, running, channels) {
  /** @type {Map<string, ReturnType<typeof startHelper>>} */
  const helpers = new Map();
  const names = channels > 0 ? Array.from({ length: channels }, (_, index) => `c${index}`) : [""];
  const paths = names.map((channel) => running.path(channel));
  let groups = 0;

  /**
   * @param {string} module
   * @param {number} priority
   */
  function helperFor(module, priority) {
    const key = `${module} ${priority}`;
    const helper = helpers.get(key) ?? startHelper(module, { cpus: cores.load, priority });
    helpers.set(key, helper);
    return helper;
  }

  return {
    /**
     * @param {import("./types.d.ts").OpenOptions} options
     * @returns {Promise<import("./types.d.ts").LoadGroup>}
     */
    async open({ apart = false, at = running.url, ...options }) {
      const { call } = helperFor("load-client.js", apart ? urgent : 0);
      const name = `group-${++groups}`;
      const { startedAt, seconds } = await call("open", { ...options, ...targetOf(at), name, paths });
      return {
        startedAt,
        seconds,
        mark: () => call("mark", { name }),
        async completed(last, timeout) {
          await call("completed", { name, last, timeout: timeout * 1000 });
        },
        report: () => call("report", { name }),
        lastId: () => call("lastId", { name }),
        resume: () => call("resume", { name }),
        leave: () => call("leave", { name }),
      };
    },
    /**
     * @param {Pick<import("./load/requests.js").RequestLoad, "connections" | "seconds" | "size">} options
     * @returns {Promise<import("./types.d.ts").RequestReport>}
     */
    request: (options) => helperFor("load-client.js", 0).call("request", { ...options, ...targetOf(running.url) }),
    /**
     * @template T
     * @param {() => Promise<T>} work
     * @returns {Promise<{ result: T, stalls: import("./types.d.ts").Stalls | undefined }>}
     */
    async probe(work) {
      if (running.health === undefined) return { result: await work(), stalls: undefined };
      const { call } = helperFor("prober.js", urgent);
      await call("start", { ...targetOf(running.url), path: running.health });
      const result = await work();
      return { result, stalls: await call("stop") };
    },
    cpu: () => [...helpers.values()].reduce((sum, { pid }) => sum + usageOf(pid).cpu, 0),
    async stop() {
      for (const helper of helpers.values()) await helper.stop();
    },
  };
}

function targetOf(/** @type {string} */ url) {
  const { hostname: host, port } = new URL(url);
  return { host, port: Number(port) };
}
