import type { DiagnosticsHost } from "../gateway/diagnostics.ts";

/** Prints the options, and checks the machine. What that needs is loaded when it is first asked for. */
export const diagnosticsHost: DiagnosticsHost = {
  printConfig: async (options) => (await import("./print.ts")).printConfig(options),
  checkMachine: async (options, streams) => (await import("./checks.ts")).checkRunning(options, streams),
};
