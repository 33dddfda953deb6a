import { hashKey } from "../access/keys.ts";
import type { AccessConfig, GatewayConfig, KeyConfig } from "./config.ts";
import { realFolder } from "./fields.ts";
import { ConfigError, mismatch, type ConfigIssue } from "./issues.ts";
import { parseListen } from "./units.ts";
import { isLoopback } from "../util/ip-address.ts";
import { isStoreUrl, storeExpected } from "./open-store.ts";
import { describeUrl } from "./secrets.ts";
import { isSection, mergeConfig, type ConfigSource, type Environment } from "./source.ts";

type Read = (name: string, expected: string, parse: (text: string) => string | undefined) => string | undefined;

/**
 * Lays a configuration over the preset it names; one that names none (or none that exists) stays as it is.
 * @throws {ConfigError} `config-invalid`, naming the environment variables that are missing or wrong.
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

/** One stream named `surflux`, fed by a Surflux event API. A variable is not read where its option is written. */
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
 * An `access` section starts closed: the preset adds no right to it, only the origins. What pages of any origin may do, so may any page in
 * a browser on this machine, so nobody administers without a credential, on loopback neither.
 */
function accessOf(
  written: AccessConfig | undefined,
  clientKey: string | undefined,
  onLoopback: boolean,
): AccessConfig | undefined {
  const cors = { origins: ["*"] };
  // A cookie is sent by pages that hold no credential themselves.
  if (written) return written.cookie === undefined ? { cors } : {};
  if (clientKey) return { cors };
  return onLoopback ? { anonymous: ["subscribe"], cors } : undefined;
}

/** Adds the key that the guide's clients send in `X-API-Key`. It may subscribe, and no more. */
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
    "CLIENT_API_KEY is set, but clients without it may subscribe too: remove the variable, or take subscribe out of access.anonymous";
  const expected = "no right to subscribe beside CLIENT_API_KEY";
  return { path: "access.anonymous", location, message, expected, got: "subscribe" };
}

/** A variable that is set and not empty. `docker run --env-file` keeps the quotes around a value, which other readers remove. */
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

const databaseExpected = `${storeExpected}; file:<path> and a path name a SQLite file too`;

/** A store's URL from what a deployment for another program has in `DATABASE_URL`. */
function storeUrl(text: string): string | undefined {
  if (isStoreUrl(text)) return text;
  const [, scheme, path = text] = /^([a-z][a-z0-9+.-]+):(?:\/\/)?(.+)$/is.exec(text) ?? [];
  return scheme === undefined || scheme.toLowerCase() === "file" ? `sqlite:${path}` : undefined;
}

function variableIssue(name: string, expected: string, text: string | undefined): ConfigIssue {
  if (text !== undefined) return mismatch(name, undefined, expected, got(name, text));
  const message = `the surflux preset needs this environment variable: ${expected}`;
  return { path: name, location: undefined, message, expected, got: "nothing" };
}

/** Of an address what is no secret; of anything else nothing. */
function got(name: string, text: string): string {
  return name === "SURFLUX_API_URL" ? describeUrl(text) : "another value (not shown)";
}
