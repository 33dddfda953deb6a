/** Spillway with its log in an engine that several nodes share. */
import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { listenerOf } from "../measure.js";
import { engines } from "./engines.js";
import { requireBuilt, startSpillway, version } from "./spillway.js";

export const shared = engines.map(describe);

/**
 * @param {import("./engines.js").Engine} engine
 * @returns {import("../types.d.ts").Server}
 */
function describe(engine) {
  const { host, hostname, port } = new URL(engine.url);
  return {
    name: `spillway-${engine.name}`,
    note: "log in an engine that several nodes share",
    ours: true,
    features: ["channels", "replay", "ingest", "nodes"],
    filesPerClient: 1,
    source: "one",
    async missing() {
      requireBuilt();
      return engine.version().then(
        () => undefined,
        ({ message, code }) => `${host} does not answer (${engine.variable} names another server): ${message || code}`,
      );
    },
    version: async () => `${version}, ${await engine.version()}`,
    async start(context) {
      const place = `bench${randomBytes(8).toString("hex")}`;
      const store = `${engine.url}${engine.url.includes("?") ? "&" : "?"}${engine.parameter}=${place}`;
      /** @type {import("../types.d.ts").Running[]} */
      const nodes = [];

      async function startNode() {
        const directory = join(context.directory, `node-${nodes.length + 1}`);
        await mkdir(directory);
        const node = await startSpillway({ ...context, directory }, store, { cluster: { lease: "10s" } });
        nodes.push(node);
        return node;
      }
      async function stop() {
        await Promise.all(nodes.map((node) => node.stop()));
        await engine.remove(place);
      }
      try {
        const isLocal = ["127.0.0.1", "localhost"].includes(hostname);
        return {
          ...(await startNode()),
          join: startNode,
          engine: isLocal ? listenerOf(Number(port)) : undefined,
          stop,
        };
      } catch (error) {
        await stop();
        throw error;
      }
    },
  };
}
