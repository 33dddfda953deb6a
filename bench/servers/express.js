/** The server that most guides show: express, a set of responses, and `res.write` for each. */
import { missingPackage, packageVersion, startSample } from "./packages.js";

/** @type {import("../types.d.ts").Server} */
export const express = {
  name: "express",
  note: "`res.write` for each client",
  features: ["channels"],
  runs: 1,
  filesPerClient: 1,
  source: "one",
  missing: async () => missingPackage("express"),
  version: async () => packageVersion("express"),
  start: (context) => startSample("express", context),
};
