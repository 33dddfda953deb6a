/** better-sse: sessions registered with a channel, which broadcasts. */
import { missingPackage, packageVersion, startSample } from "./packages.js";

/** @type {import("../types.d.ts").Server} */
export const betterSse = {
  name: "better-sse",
  note: "sessions on a channel",
  features: ["channels"],
  runs: 1,
  filesPerClient: 1,
  source: "one",
  missing: async () => missingPackage("better-sse"),
  version: async () => packageVersion("better-sse"),
  start: (context) => startSample("better-sse", context),
};
