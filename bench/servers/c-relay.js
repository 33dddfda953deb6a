/** The floor of proxies: a C program that passes on bytes and reads nothing of them. */
import { gccVersion, missingGcc, startC } from "./gcc.js";

/** @type {import("../types.d.ts").Server} */
export const cRelay = {
  name: "c-relay",
  note: "the floor of proxies: `recv` and `send` in C, nothing is parsed",
  features: ["routes"],
  only: ["proxy"],
  filesPerClient: 2,
  source: "each",
  missing: missingGcc,
  version: gccVersion,
  async start(context) {
    const { pid, url, stop } = await startC("relay", [new URL(context.origin).port], context);
    return { pid, url, path: () => "/events", stop };
  },
};
