/** Fastify with its SSE plugin: `reply.sse.send` for each client. */
import { missingPackage, packageVersion, startSample } from "./packages.js";

/** @type {import("../types.d.ts").Server} */
export const fastifySse = {
  name: "fastify-sse",
  note: "`reply.sse.send` for each client",
  features: [],
  runs: 1,
  filesPerClient: 1,
  source: "one",
  missing: async () => missingPackage("@fastify/sse"),
  version: async () => packageVersion("@fastify/sse"),
  start: (context) => startSample("fastify-sse", context),
};
