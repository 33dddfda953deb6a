/** The lower bound in Node.js: the minimum for any server in it. */
import { startSample } from "./packages.js";

/** @type {import("../types.d.ts").Server} */
export const nodeSend = {
  name: "node-send",
  note: "lower bound in Node.js: one connection to the origin, a loop over `writeBuffer`, no log, no checks",
  features: [],
  only: ["paced"],
  filesPerClient: 1,
  source: "one",
  missing: async () => undefined,
  version: async () => `Node.js ${process.version.slice(1)}`,
  // It answers every request with the stream.
  start: async (context) => ({ ...(await startSample("node-send", context)), health: undefined }),
};
