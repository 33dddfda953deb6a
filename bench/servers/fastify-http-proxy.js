/** @fastify/http-proxy, which forwards with undici. */
import { missingPackage, packageVersion, startSample } from "./packages.js";

/** @type {import("../types.d.ts").Server} */
export const fastifyHttpProxy = {
  name: "fastify-http-proxy",
  note: "@fastify/http-proxy, with as many connections to the origin as it needs",
  features: ["routes"],
  only: ["proxy"],
  runs: 1,
  filesPerClient: 2,
  source: "each",
  missing: async () => missingPackage("@fastify/http-proxy"),
  version: async () => packageVersion("@fastify/http-proxy"),
  start: (context) => startSample("fastify-http-proxy", context),
};
