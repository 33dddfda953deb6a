import { hostname } from "node:os";
import type { z } from "zod";
import type { AccessOptions } from "../access/options.ts";
import type { GatewayOptions, PatternOptions, StreamOptions, StreamUpstreamOptions } from "../gateway/options.ts";
import { accessSchema } from "./access.ts";
import type { UpstreamConfig } from "./config.ts";
import { expectation, explain } from "./explain.ts";
import { ConfigError, mismatch, type ConfigIssue } from "./issues.ts";
import { formatListen } from "./units.ts";
import { isGlob } from "../util/glob.ts";
import { isLoopback } from "../util/ip-address.ts";
import { isShareable, shareableExpected } from "./open-store.ts";
import { applyPreset } from "./preset.ts";
import { configSchema, serverConfigSchema, type ParsedConfig } from "./server.ts";
import { describe } from "./secrets.ts";
import { codeSource, type ConfigSource } from "./source.ts";
import { onDemandSchema } from "./stream.ts";
import { upstreamSchema } from "./upstream.ts";

/**
 * Validates a configuration and fills in its defaults; the result is complete and frozen. Without a `source`, it is that
 * of a program, which may have nothing to serve but runs of its own.
 * @throws {ConfigError} `config-invalid` with all errors; `access-required` if only the `access` section is missing.
 */
export function resolveConfig(input: unknown, source?: ConfigSource): GatewayOptions {
  const from = source ?? codeSource(process.env);
  const schema = source ? serverConfigSchema : configSchema;
  return deepFreeze(complete(parse(schema, applyPreset(input, from), from), from));
}

/**
 * Validates a single upstream and fills in its defaults.
 * @throws {ConfigError} `config-invalid` with all errors.
 */
export function resolveUpstream(input: UpstreamConfig): StreamUpstreamOptions {
  return deepFreeze(parse(upstreamSchema, input, codeSource(process.env)));
}

function parse<Output>(schema: z.ZodType<Output>, input: unknown, source: ConfigSource): Output {
  const parsed = schema.safeParse(input, { error: expectation });
  if (parsed.success && source.issues.length === 0) return parsed.data;
  const known = new Set(source.issues.map(({ path }) => path));
  const found = parsed.success ? [] : explain(parsed.error.issues, input, source);
  // With an unknown preset, other errors may only be options that the preset would have set.
  const causes = found.filter(({ path }) => path === "preset");
  const rest = causes.length > 0 ? causes : found.filter(({ path }) => !known.has(path));
  throw new ConfigError([...source.issues, ...rest]);
}

function complete(config: ParsedConfig, source: ConfigSource): GatewayOptions {
  assertSigned(config, source);
  const { streams, patterns } = namesAndPatterns(config, source);
  return {
    listen: config.listen,
    listener: config.listener,
    store: storeOf(config),
    synchronous: config.sqlite.synchronous,
    cluster: { lease: config.cluster.lease, node: config.cluster.node ?? thisNode },
    workers: workers(config, source),
    tls: config.tls,
    trustProxy: config.trustProxy,
    hosts: config.hosts,
    drain: config.drain,
    streams,
    patterns,
    routes: config.routes,
    runs: config.runs,
    deliveries: deliveries(config, source),
    static: config.static,
    default: defaultStream(config, source),
    dashboard: config.dashboard,
    access: access(config, source),
    limits: config.limits,
  };
}

/** The options that a pattern must not have: each of its streams would need a source of its own. */
const onlyForNames = ["upstream", "channel", "webhook", "definition"] as const;

/** Separates the patterns from the names of streams. */
function namesAndPatterns(
  { streams }: ParsedConfig,
  source: ConfigSource,
): Pick<GatewayOptions, "streams" | "patterns"> {
  const issues: ConfigIssue[] = [];
  const names: Record<string, StreamOptions> = {};
  const patterns: Record<string, PatternOptions> = {};
  const refuse = (name: string, option: string, expected: string): void => {
    const path = ["streams", name, option];
    issues.push(mismatch(path.join("."), source.locate(path, "value"), expected, "a value"));
  };
  for (const [name, { onDemand, ...stream }] of Object.entries(streams)) {
    if (isGlob(name)) {
      const unsuitable = onlyForNames.filter((option) => stream[option] !== undefined);
      for (const option of unsuitable) refuse(name, option, "no value, because this is a pattern of streams");
      patterns[name] = { stream, onDemand: onDemand ?? onDemandSchema.parse({}) };
    } else {
      names[name] = stream;
      if (onDemand) refuse(name, "onDemand", "no value, because the name is not a pattern such as chat-*");
    }
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return { streams: names, patterns };
}

/** The default name of this node. Replaces characters that are valid in host names but not in node names. */
const thisNode = `${hostname()
  .replaceAll(/[^\w.-]/g, "-")
  .slice(0, 48)}:${process.pid}`;

/** A gateway with nothing but routes that are not shared stores nothing, so the default is not a file. */
function storeOf({ store, streams, routes, runs }: ParsedConfig): string {
  const hasLogs = Object.keys(streams).length + Object.keys(runs).length > 0;
  const shares = Object.values(routes).map(({ share }) => share);
  const onlyForwards = !hasLogs && shares.length > 0 && shares.every((share) => share === undefined);
  return store ?? (onlyForwards ? "memory:" : "sqlite:./spillway.db");
}

/** Each worker reads the logs itself, so several workers with streams or runs need a store that several processes can read. */
function workers(config: ParsedConfig, source: ConfigSource): number {
  const hasLogs = Object.keys(config.streams).length + Object.keys(config.runs).length > 0;
  if (config.workers === 1 || !hasLogs || isShareable(storeOf(config))) return config.workers;
  const expected = `1, or a store that several processes can read: ${shareableExpected}`;
  const got = `${config.workers} with a store that only one process can read`;
  throw new ConfigError([mismatch("workers", source.locate(["workers"], "value"), expected, got)]);
}

function defaultStream(config: ParsedConfig, source: ConfigSource): string | undefined {
  const names = Object.keys(config.streams).filter((name) => !isGlob(name));
  if (config.default === undefined) return names.length === 1 ? names[0] : undefined;
  if (names.includes(config.default)) return config.default;
  const path = ["default"];
  const got = describe(config.default, source.isFromEnvironment(path));
  throw new ConfigError([mismatch("default", source.locate(path, "value"), `one of ${names.join(", ")}`, got)]);
}

/** Webhooks without a signature are protected by nothing but the address. */
function assertSigned({ listen, streams }: ParsedConfig, source: ConfigSource): void {
  if (isLoopback(listen.host)) return;
  for (const [name, { webhook }] of Object.entries(streams)) {
    if (webhook?.scheme !== "none" || webhook.unverified) continue;
    const expected = `a scheme that signs, because other machines can reach ${formatListen(listen)}; or "unverified: accepted", if everyone may publish to the stream`;
    const location = source.locate(["streams", name, "webhook", "scheme"], "value");
    throw new ConfigError([mismatch(`streams.${name}.webhook.scheme`, location, expected, "none")]);
  }
}

/** Deliveries name streams, and the stream of the dead letters belongs to the gateway alone. */
function deliveries({ deliveries: all, streams }: ParsedConfig, source: ConfigSource): GatewayOptions["deliveries"] {
  const names = Object.keys(streams).filter((name) => !isGlob(name));
  const issues = Object.entries(all).flatMap(([name, { stream, dead }]) => {
    const path = ["deliveries", name];
    const free = names.filter((other) => other !== stream && isFedByGateway(streams[other]!));
    const found = misnamed([...path, "stream"], stream, names, source);
    return dead === undefined ? found : found.concat(misnamed([...path, "dead"], dead, free, source));
  });
  if (issues.length > 0) throw new ConfigError(issues);
  return all;
}

/** Whether nobody else adds to the stream, but publishers, whose events can be told apart. */
function isFedByGateway({ hasUpstream, webhook }: StreamOptions): boolean {
  return !hasUpstream && webhook === undefined;
}

function misnamed(path: string[], name: string, names: readonly string[], source: ConfigSource): ConfigIssue[] {
  if (names.includes(name)) return [];
  const expected = names.length > 0 ? `one of ${names.join(", ")}` : "a stream without an upstream and webhook";
  const got = describe(name, source.isFromEnvironment(path));
  return [mismatch(path.join("."), source.locate(path, "value"), expected, got)];
}

/** Listening on a public address requires explicit rights for anonymous clients. */
function access(config: ParsedConfig, source: ConfigSource): AccessOptions {
  if (config.access) return config.access;
  if (isLoopback(config.listen.host)) return accessSchema.parse({ anonymous: ["subscribe", "proxy"] });
  throw new ConfigError([accessRequired(config, source)], "access-required");
}

function accessRequired({ listen, preset }: ParsedConfig, source: ConfigSource): ConfigIssue {
  const message =
    `listening on ${formatListen(listen)} requires an "access" section with the rights of clients without credentials, ` +
    "for example\naccess:\n  anonymous: [subscribe]\nor, on the command line, --anonymous subscribe" +
    (preset === undefined ? "" : "; or set CLIENT_API_KEY, which clients then must send as X-API-Key");
  return {
    path: "access",
    location: source.locate(["listen"], "value"),
    message,
    expected: "a section",
    got: "nothing",
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
