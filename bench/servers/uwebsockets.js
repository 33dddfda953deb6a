/** µWebSockets.js with corked writes: the most that Node.js can host, in C++. npm has it only under names of third parties. */
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
    // Where its binary does not fit, the package falls back on a server in JavaScript, which has no TLS.
    return "SSLApp" in uws ? undefined : `${name} has no binary for Node.js ${process.version} on ${process.platform}`;
  },
  version: async () => packageVersion(name),
  start: (context) => startSample("uwebsockets", context),
};
