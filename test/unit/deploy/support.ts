import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { readYaml } from "../../../src/config/read-yaml.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import type { GatewayOptions } from "../../../src/gateway/options.ts";

export const root: string = resolve(import.meta.dirname, "../../..");

/** The text of a file of the repository. */
export function readText(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** The options that a configuration makes, with these variables. */
export function optionsOf(text: string, file: string, env: Readonly<Record<string, string>> = {}): GatewayOptions {
  const { input, source } = readYaml(text, file, env);
  return resolveConfig(input, source);
}

/** The maximum duration of a stop, in seconds: workers may take a while longer than `drain`. */
export function stopTime({ drain }: GatewayOptions): number {
  const [, beyond] = /^const closeGrace = ([\d_]+);$/m.exec(readText("src/workers/primary/primary.ts")) ?? [];
  if (beyond === undefined) throw new Error("src/workers/primary/primary.ts does not say how long workers may take");
  return (drain + Number(beyond.replaceAll("_", ""))) / 1000;
}

/** The margin that a supervisor allows, in seconds: the log is closed last, and the machine may be busy. */
export const margin = 5;

/** The seconds of `30s`. */
export function seconds(text: unknown): number {
  const [, number] = /^(\d+)s$/.exec(String(text)) ?? [];
  if (number === undefined) throw new Error(`${String(text)} is no number of seconds`);
  return Number(number);
}
