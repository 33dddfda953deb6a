/** The flags of `serve`, `check` and `doctor`. Each sets one option of the configuration and overrides the file. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { formatListen, parseListen } from "../config/units.ts";
import { findConfig, loadConfig } from "../config/load.ts";
import { resolveConfig } from "../config/resolve.ts";
import { showPath } from "../config/secrets.ts";
import {
  codeSource,
  isSection,
  mergeConfig,
  substitute,
  withDotEnv,
  type ConfigPath,
  type ConfigSource,
  type Environment,
  type LoadedConfig,
} from "../config/source.ts";
import { SpillwayError } from "../errors.ts";
import type { GatewayOptions } from "../gateway/options.ts";
import { createDevCertificate } from "./dev-certificate.ts";
import { wholeNumber } from "./flags.ts";

/** The flags as commander parses them. */
export interface ConfigFlags {
  readonly config?: string;
  readonly preset?: string;
  readonly upstream?: string;
  readonly resumeParam?: string;
  readonly stream?: string;
  readonly route?: readonly RouteFlag[];
  readonly channel?: string;
  readonly ids?: string;
  readonly store?: string;
  readonly listen?: string;
  readonly port?: number;
  readonly listener?: string;
  readonly workers?: string;
  readonly anonymous?: string;
  readonly devTls?: true;
}

/** A path pattern, and the URLs of its targets, separated by commas. */
interface RouteFlag {
  readonly pattern: string;
  readonly urls: string;
}

/** Adds these flags to a command. Each flag that takes a value can also be set as `SPILLWAY_<NAME>`. */
export function addConfigFlags(command: Command): Command {
  const flags: readonly [flags: string, description: string][] = [
    [
      "-c, --config <file>",
      "configuration file (default: spillway.yaml, .yml, .json, .config.ts, .config.js or .config.mjs here)",
    ],
    ["--preset <name>", "ready-made configuration from the environment: surflux"],
    [
      "--upstream <url>",
      "URL of the event source, instead of a configuration file; '${NAME}' reads a variable of the environment or .env",
    ],
    ["--resume-param <name>", "send the last event id in this query parameter (default: in the Last-Event-ID header)"],
    ["--stream <name>", 'stream that these flags configure (default: the only one in the file, else "events")'],
    [
      "--route <path=urls>",
      "forward requests for a path, such as '/api/**=http://a:8080,http://b:8080'; repeatable, and '${NAME}' reads a variable",
    ],
    ["--channel <pointer>", "JSON pointer to the channel in an event's data, such as /symbol"],
    ["--ids <whose>", "whose event ids clients get: gateway or upstream"],
    ["--store <url>", "where events are stored: sqlite:<path>, memory, postgres://…, mysql://…, redis://… or nats://…"],
    ["--listen <address>", "address to listen on, such as 127.0.0.1:8080"],
    ["--port <number>", "port to listen on"],
    ["--listener <name>", "what serves subscriptions over HTTP/1.1: raw, or node for Node's own HTTP server"],
    ["--workers <n|auto>", "number of processes that serve clients, or auto"],
    [
      "--anonymous <rights>",
      "rights of clients without credentials, separated by commas: subscribe,publish,proxy,admin",
    ],
    ["--dev-tls", "serve HTTPS and HTTP/2 with a new self-signed certificate for localhost"],
  ];
  for (const [name, description] of flags) command.addOption(withVariable(new Option(name, description)));
  return command;
}

/** Adds the environment variable of a flag, such as `SPILLWAY_RESUME_PARAM` for `--resume-param`. */
function withVariable(option: Option): Option {
  // Any value of the variable would set the flag, even "false".
  if (option.isBoolean()) return option;
  option.env(`SPILLWAY_${option.name().toUpperCase().replaceAll("-", "_")}`);
  if (option.name() === "route") return option.argParser(collectRoutes);
  return option.name() === "port" ? option.conflicts("listen").argParser(wholeNumber(0, 65_535)) : option;
}

/** The variable may hold several routes, separated by spaces. */
function collectRoutes(text: string, before: readonly RouteFlag[] = []): readonly RouteFlag[] {
  const given = text.trim().split(/\s+/).map(readRoute);
  const all = [...before, ...given];
  const patterns = all.map(({ pattern }) => pattern);
  const repeated = patterns.find((pattern, index) => patterns.indexOf(pattern) !== index);
  if (repeated !== undefined) throw new InvalidArgumentError(`The path ${repeated} is given twice.`);
  return all;
}

function readRoute(text: string): RouteFlag {
  const [, pattern, urls] = /^(\/[^=]*)=(.+)$/.exec(text) ?? [];
  if (pattern !== undefined && urls !== undefined) return { pattern, urls };
  throw new InvalidArgumentError("Expected <path>=<url>[,<url>], such as /events=http://a:8080.");
}

/**
 * Resolves the options from the flags and the configuration file.
 * @throws {SpillwayError} `config-not-found`, `config-invalid`, `access-required`.
 */
export async function resolveFlags(flags: ConfigFlags): Promise<GatewayOptions> {
  const { input, source } = await loadFor(flags);
  const settings = settingsOf(flags, input).map((setting) => fillIn(setting, source.env));
  if (flags.devTls) settings.push(await devTls());
  const config = settings.reduce((base, { path, value }) => mergeConfig(base, nest(path, value)), input);
  return resolveConfig(config, withFlags(source, settings));
}

async function loadFor(flags: ConfigFlags): Promise<LoadedConfig> {
  const { upstream, preset, stream, route } = flags;
  const needsFile = [upstream, preset, stream, route].every((flag) => flag === undefined);
  const path = flags.config ?? (needsFile ? findConfig(process.cwd()) : undefined);
  if (path !== undefined) return loadConfig({ path });
  if (!needsFile) return { input: {}, source: codeSource(withDotEnv(process.cwd(), process.env)) };
  throw new SpillwayError(
    "config-not-found",
    "this directory has no spillway.yaml: create one, pass --config <file>, or start without a file:\n" +
      "spillway serve --upstream <url>",
  );
}

/** The option that a flag sets. */
interface Setting {
  readonly flag: string;
  readonly path: ConfigPath;
  readonly value: unknown;
  /** Makes the option's value of a text, once its variables were replaced. */
  readonly read?: (text: string) => unknown;
  /** Whether the value contains a variable. */
  readonly fromEnvironment?: boolean;
  readonly problems?: readonly string[];
}

/** Replaces `${NAME}` in a flag as in a file, so that a secret need not be visible in the process list. */
function fillIn(setting: Setting, env: Environment): Setting {
  if (typeof setting.value !== "string") return setting;
  const { text, changed, problems } = substitute(setting.value, env);
  return { ...setting, value: setting.read?.(text) ?? text, fromEnvironment: changed, problems };
}

function settingsOf(flags: ConfigFlags, input: unknown): Setting[] {
  const section = isSection(input) ? input : {};
  const stream = ["streams", flags.stream ?? onlyStream(section) ?? "events"];
  const settings: Setting[] = [
    { flag: "--preset", path: ["preset"], value: flags.preset },
    { flag: "--stream", path: stream, value: flags.stream === undefined ? undefined : {} },
    { flag: "--upstream", path: [...stream, "upstream", "url"], value: flags.upstream },
    { flag: "--resume-param", path: [...stream, "upstream", "resume", "query"], value: flags.resumeParam },
    ...(flags.route ?? []).map(({ pattern, urls }): Setting => ({
      flag: "--route",
      path: ["routes", pattern],
      value: urls,
      read: toRoute,
    })),
    { flag: "--channel", path: [...stream, "channel"], value: flags.channel },
    { flag: "--ids", path: [...stream, "ids"], value: flags.ids },
    { flag: "--store", path: ["store"], value: flags.store },
    { flag: "--listen", path: ["listen"], value: flags.listen },
    {
      flag: "--port",
      path: ["listen"],
      value: flags.port === undefined ? undefined : onPort(section["listen"], flags.port),
    },
    { flag: "--listener", path: ["listener"], value: flags.listener },
    { flag: "--workers", path: ["workers"], value: flags.workers },
    { flag: "--anonymous", path: ["access", "anonymous"], value: flags.anonymous?.split(",").filter(Boolean) },
  ];
  return settings.filter(({ value }) => value !== undefined);
}

function toRoute(urls: string): unknown {
  return { upstream: urls.includes(",") ? { urls: urls.split(",") } : { url: urls } };
}

async function devTls(): Promise<Setting> {
  return { flag: "--dev-tls", path: ["tls"], value: await createDevCertificate() };
}

function onlyStream({ streams }: Readonly<Record<string, unknown>>): string | undefined {
  const names = isSection(streams) ? Object.keys(streams) : [];
  return names.length === 1 ? names[0] : undefined;
}

/** The configured host with this port. */
function onPort(listen: unknown, port: number): string | number {
  const address = parseListen(listen);
  return address ? formatListen({ ...address, port }) : port;
}

function nest(path: ConfigPath, value: unknown): unknown {
  return path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
}

/** The source with the flags added: an error in an option that a flag sets points to the flag. */
function withFlags(source: ConfigSource, settings: readonly Setting[]): ConfigSource {
  const settingAt = (path: ConfigPath): Setting | undefined =>
    settings.findLast((setting) => setting.path.every((key, index) => key === path[index]));
  const issues = settings.flatMap(({ flag, path, problems = [] }) =>
    problems.map((message) => ({ path: showPath(path), location: flag, message })),
  );
  return {
    ...source,
    issues: [...source.issues, ...issues],
    locate: (path, part) => settingAt(path)?.flag ?? source.locate(path, part),
    isFromEnvironment: (path) =>
      (settingAt(path) ?? { fromEnvironment: source.isFromEnvironment(path) }).fromEnvironment === true,
  };
}
