import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { SpillwayError } from "../errors.ts";
import { ConfigError } from "./issues.ts";
import { readYaml } from "./read-yaml.ts";
import { codeSource, withDotEnv, type Environment, type LoadedConfig } from "./source.ts";

/** The file names that are looked for where none is given, in this order. */
export const configNames: readonly string[] = [
  "spillway.yaml",
  "spillway.yml",
  "spillway.json",
  "spillway.config.ts",
  "spillway.config.js",
  "spillway.config.mjs",
];

export interface LoadOptions {
  /** The file; default: the first of {@link configNames} that exists in `cwd`. */
  readonly path?: string | undefined;
  /** Where relative paths start. Default: the working directory. */
  readonly cwd?: string | undefined;
  /** Default: the process's. A `.env` file beside the configuration adds to it. */
  readonly env?: Environment | undefined;
}

/** What the module of a TypeScript or JavaScript configuration may export by default. */
type ConfigModule = object | ((context: { env: Environment }) => unknown);

/**
 * Reads a configuration file: YAML and JSON with variables filled in, TypeScript and JavaScript by running it.
 * @throws {SpillwayError} `config-not-found`; `config-invalid` for a file that cannot be read.
 */
export async function loadConfig(options: LoadOptions = {}): Promise<LoadedConfig> {
  const { cwd = process.cwd(), env = process.env } = options;
  const name = options.path ?? findConfig(cwd);
  if (name === undefined) throw new SpillwayError("config-not-found", `none of ${configNames.join(", ")} is in ${cwd}`);
  const file = resolve(cwd, name);
  if (!existsSync(file)) throw new SpillwayError("config-not-found", `there is no file ${file}`);
  const fullEnv = withDotEnv(dirname(file), env);
  if (!/\.[cm]?[jt]s$/.test(name)) return readYaml(readText(file, name), name, fullEnv);
  return { input: await runModule(file, name, fullEnv), source: codeSource(fullEnv, name) };
}

/** The configuration file of a directory, by its default names. */
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

/** A syntax error says on its second line where it is. */
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
