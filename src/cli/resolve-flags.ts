/** Resolves the configuration from the flags of the command line and the configuration file. */
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
import type { ConfigFlags } from "./config-flags.ts";
import { createDevCertificate } from "./dev-certificate.ts";

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
