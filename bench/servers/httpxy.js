/** httpxy, on an HTTP server of Node.js. */
import { missingPackage, packageVersion, startSample } from "./packages.js";

/** @type {import("../types.d.ts").Server} */
export const httpxy = {
  name: "httpxy",
  note: "`proxy.web()` with persistent connections to the origin",
  features: ["routes"],
  only: ["proxy"],
  filesPerClient: 2,
  source: "each",
  missing: async () => missingPackage("httpxy"),
  version: async () => packageVersion("httpxy"),
  start: (context) => startSample("httpxy", context),
};
