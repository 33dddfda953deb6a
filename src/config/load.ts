import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { SpillwayError } from "../errors.ts";
import { ConfigError } from "./issues.ts";
import { codeSource, withDotEnv, type Environment, type LoadedConfig } from "./source.ts";

/** The default file names, in order of precedence. */
export const configNames: readonly string[] = [
  "spillway.yaml",
  "spillway.yml",
  "spillway.json",
  "spillway.config.ts",
  "spillway.config.js",
  "spillway.config.mjs",
];

export interface LoadOptions {
  /** Path of the file. Default: the first of {@link configNames} that exists in `cwd`. */
  readonly path?: string | undefined;
  /** Base of relative paths. Default: the working directory. */
  readonly cwd?: string | undefined;
  /** Environment variables. Default: those of the process. A `.env` file beside the configuration adds to them. */
  readonly env?: Environment | undefined;
}

/** The default export of a configuration in TypeScript or JavaScript. */
type ConfigModule = object | ((context: { env: Environment }) => unknown);

/**
 * Reads a configuration file: substitutes variables in YAML and JSON, and runs TypeScript and JavaScript.
 * @throws {SpillwayError} `config-not-found`; `config-invalid` for a file that cannot be read.
 */
export async function loadConfig(options: LoadOptions = {}): Promise<LoadedConfig> {
  const { cwd = process.cwd(), env = process.env } = options;
  const name = options.path ?? findConfig(cwd);
  if (name === undefined)
    throw new SpillwayError("config-not-found", `${cwd} contains none of ${configNames.join(", ")}`);
  const file = resolve(cwd, name);
  if (!existsSync(file)) throw new SpillwayError("config-not-found", `the file ${file} does not exist`);
  const fullEnv = withDotEnv(dirname(file), env);
  if (/\.[cm]?[jt]s$/.test(name))
    return { input: await runModule(file, name, fullEnv), source: codeSource(fullEnv, name) };
  const { readYaml } = await import("./read-yaml.ts");
  return readYaml(readText(file, name), name, fullEnv);
}

/** The configuration file of a directory, by {@link configNames}. */
export function findConfig(cwd: string): string | undefined {
  return configNames.find((name) => existsSync(join(cwd, name)));
}

async function runModule(file: string, name: string, env: Environment): Promise<unknown> {
  try {
    const { createJiti } = await import("jiti");
    const jiti = createJiti(import.meta.url, { fsCache: false, moduleCache: false });
    const exported = await jiti.import<ConfigModule>(file, { default: true });
    return typeof exported === "function" ? await exported({ env }) : exported;
  } catch (cause) {
    throw moduleError(cause, name);
  }
}

/** A syntax error has its position in the second line of its message. */
function moduleError(error: unknown, name: string): ConfigError {
  const [message = "", second = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  const place = /:\d+:\d+$/.exec(second)?.[0] ?? "";
  return new ConfigError([{ path: "", location: `${name}${place}`, message: message.trim() }]);
}

function readText(file: string, name: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new SpillwayError("config-invalid", `${name}: cannot be read (${code})`, { cause });
  }
}
