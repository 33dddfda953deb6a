/** http-proxy-middleware: one connection to the origin per client. */
import { missingPackage, packageVersion, startSample } from "./packages.js";

/** @type {import("../types.d.ts").Server} */
export const httpProxyMiddleware = {
  name: "http-proxy-middleware",
  note: "a connection to the origin for each client",
  features: ["replay", "routes"],
  runs: 1,
  filesPerClient: 2,
  source: "each",
  missing: async () => missingPackage("http-proxy-middleware"),
  version: async () => packageVersion("http-proxy-middleware"),
  start: (context) => startSample("http-proxy-middleware", context),
};
