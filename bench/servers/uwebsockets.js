/** µWebSockets.js with corked writes: a server in C++ inside Node.js. npm only has packages of it by third parties. */
import { missingPackage, packageVersion, startSample } from "./packages.js";

const name = "@trufflesuite/uws-js-unofficial";

/** @type {import("../types.d.ts").Server} */
export const uwebsockets = {
  name: "uwebsockets",
  note: "µWebSockets.js, C++, corked writes",
  features: ["channels"],
  filesPerClient: 1,
  source: "one",
  async missing() {
    const missing = missingPackage(name);
    if (missing !== undefined) return missing;
    const { default: uws } = await import(name);
    // If its binary does not match, the package falls back to a server in JavaScript, which has no TLS.
    return "SSLApp" in uws ? undefined : `${name} has no binary for Node.js ${process.version} on ${process.platform}`;
  },
  version: async () => packageVersion(name),
  start: (context) => startSample("uwebsockets", context),
};
