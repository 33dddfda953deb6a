import { hashKey } from "../access/keys.ts";
import type { AccessConfig, GatewayConfig, KeyConfig } from "./config.ts";
import { realFolder } from "./fields.ts";
import { ConfigError, mismatch, type ConfigIssue } from "./issues.ts";
import { parseListen } from "./units.ts";
import { isLoopback } from "../util/ip-address.ts";
import { isStoreUrl, storeExpected } from "./open-store.ts";
import { describeUrl } from "./mask-url.ts";
import { isSection, mergeConfig, type ConfigSource, type Environment } from "./source.ts";

type Read = (name: string, expected: string, parse: (text: string) => string | undefined) => string | undefined;

/**
 * Overrides the preset that a configuration names by the configuration itself; without a known preset, returns it
 * unchanged.
 * @throws {ConfigError} `config-invalid`, naming the environment variables that are missing or invalid.
 */
export function applyPreset(input: unknown, { env, locate }: ConfigSource): unknown {
  if (!isSection(input) || input["preset"] !== "surflux") return input;
  const issues: ConfigIssue[] = [];
  const read: Read = (name, expected, parse) => {
    const text = variable(env, name);
    const value = text ? parse(text) : undefined;
    if (value === undefined) issues.push(variableIssue(name, expected, text));
    return value;
  };
  const clientKey = variable(env, "CLIENT_API_KEY");
  const preset = surflux(input, env, read, clientKey);
  if (clientKey && opensToAll(input["access"])) issues.push(unguarded(locate(["access", "anonymous"], "value")));
  if (issues.length > 0) throw new ConfigError(issues);
  return withClientKey(mergeConfig(preset, input), clientKey);
}

/**
 * One stream named `surflux`, fed by a Surflux event API. A variable is ignored if its option is in the configuration.
 */
function surflux(input: GatewayConfig, env: Environment, read: Read, clientKey: string | undefined): GatewayConfig {
  const optional: Read = (name, ...rest) => (variable(env, name) ? read(name, ...rest) : undefined);
  const listen = input.listen ?? optional("PORT", "a port", port);
  const store = input.store ?? optional("DATABASE_URL", databaseExpected, storeUrl);
  const url = read("SURFLUX_API_URL", "an http:// or https:// URL", baseUrl);
  const key = read("SURFLUX_API_KEY", "an API key", encodeURIComponent);
  const upstream = { url: `${url}/events?api-key=${key}`, resume: { query: "last-id" }, connect: "on-demand" } as const;
  return {
    listen,
    store,
    static: realFolder("html"),
    default: "surflux",
    streams: { surflux: { upstream, channel: "/type", ids: "upstream" } },
    access: accessOf(input.access, clientKey, isLoopback(parseListen(listen ?? 0)?.host ?? "")),
  };
}

/**
 * The preset adds no rights to an `access` section, only the origins. Pages of any origin have the rights of anonymous
 * clients, including pages in a browser on this machine, so `admin` requires a credential even on loopback.
 */
function accessOf(
  written: AccessConfig | undefined,
  clientKey: string | undefined,
  onLoopback: boolean,
): AccessConfig | undefined {
  const cors = { origins: ["*"] };
  // Browsers also send cookies for pages that have no credential themselves.
  if (written) return written.cookie === undefined ? { cors } : {};
  if (clientKey) return { cors };
  return onLoopback ? { anonymous: ["subscribe"], cors } : undefined;
}

/** Adds the key that the guide's clients send in `X-API-Key`. It may only subscribe. */
function withClientKey(config: unknown, clientKey: string | undefined): unknown {
  if (!clientKey || !isSection(config) || !isSection(config["access"])) return config;
  const { keys = [], ...access } = config["access"];
  if (!Array.isArray(keys)) return config;
  const key: KeyConfig = { name: "CLIENT_API_KEY", hash: hashKey(clientKey) };
  return { ...config, access: { ...access, keys: [key, ...(keys as unknown[])] } };
}

function opensToAll(access: unknown): boolean {
  const anonymous = isSection(access) ? access["anonymous"] : undefined;
  const can = isSection(anonymous) ? (anonymous["can"] ?? ["subscribe"]) : anonymous;
  return Array.isArray(can) && can.includes("subscribe");
}

function unguarded(location: string | undefined): ConfigIssue {
  const message =
    "CLIENT_API_KEY is set, but clients without it may also subscribe: unset the variable, or remove subscribe from access.anonymous";
  const expected = "no right to subscribe if CLIENT_API_KEY is set";
  return { path: "access.anonymous", location, message, expected, got: "subscribe" };
}

/**
 * A variable that is set and not empty, without quotes: `docker run --env-file` keeps quotes that other readers remove.
 */
function variable(env: Environment, name: string): string | undefined {
  const text = env[name]?.trim();
  return (/^(["'])(.*)\1$/s.exec(text ?? "")?.[2] ?? text) || undefined;
}

function port(text: string): string | undefined {
  return /^\d+$/.test(text) && parseListen(text) ? text : undefined;
}

function baseUrl(text: string): string | undefined {
  return /^https?:\/\/[^?#]+$/i.test(text) && URL.canParse(text) ? text.replace(/\/+$/, "") : undefined;
}

const databaseExpected = `${storeExpected}; file:<path> and a plain path also mean a SQLite file`;

/** Converts a `DATABASE_URL`, which may have been written for another program, to a store's URL. */
function storeUrl(text: string): string | undefined {
  if (isStoreUrl(text)) return text;
  const [, scheme, path = text] = /^([a-z][a-z0-9+.-]+):(?:\/\/)?(.+)$/is.exec(text) ?? [];
  return scheme === undefined || scheme.toLowerCase() === "file" ? `sqlite:${path}` : undefined;
}

function variableIssue(name: string, expected: string, text: string | undefined): ConfigIssue {
  if (text !== undefined) return mismatch(name, undefined, expected, got(name, text));
  const message = `the surflux preset requires this environment variable: ${expected}`;
  return { path: name, location: undefined, message, expected, got: "nothing" };
}

/** Shows the non-secret parts of an address, and nothing of any other value. */
function got(name: string, text: string): string {
  return name === "SURFLUX_API_URL" ? describeUrl(text) : "another value (not shown)";
}
