import type { GatewayConfig } from "./config.ts";
import { ConfigError, mismatch, type ConfigIssue } from "./issues.ts";
import { isLoopback, parseListen } from "./listen.ts";
import { isSection, mergeConfig } from "./merge.ts";
import type { ConfigSource, Environment } from "./source.ts";

type Read = (name: string, expected: string, parse: (text: string) => string | undefined) => string | undefined;

/**
 * Lays a configuration over the preset it names; one that names none (or none that exists) stays as it is.
 * @throws {ConfigError} `config-invalid`, naming the environment variables that are missing or wrong.
 */
export function applyPreset(input: unknown, { env }: ConfigSource): unknown {
  if (!isSection(input) || input["preset"] !== "surflux") return input;
  const issues: ConfigIssue[] = [];
  const preset = surflux(input, env, (name, expected, parse) => {
    const text = env[name];
    const value = text ? parse(text) : undefined;
    if (value === undefined) issues.push(variableIssue(name, expected, text));
    return value;
  });
  if (issues.length > 0) throw new ConfigError(issues);
  return mergeConfig(preset, input);
}

/** One stream named `surflux`, fed by a Surflux event API. A variable is not looked at where its option is written. */
function surflux(input: GatewayConfig, env: Environment, read: Read): GatewayConfig {
  const listen = input.listen ?? (env["PORT"] ? read("PORT", "a port", port) : undefined);
  const store = input.store ?? (env["DATABASE_URL"] ? read("DATABASE_URL", databaseExpected, storeUrl) : undefined);
  const url = read("SURFLUX_API_URL", "an http:// or https:// URL", baseUrl);
  const key = read("SURFLUX_API_KEY", "an API key", encodeURIComponent);
  const onLoopback = isLoopback(parseListen(listen ?? 0)?.host ?? "");
  return {
    listen,
    store,
    default: "surflux",
    streams: { surflux: { upstream: { url: `${url}/events?api-key=${key}`, resume: { query: "last-id" } } } },
    access: onLoopback ? { anonymous: ["subscribe", "admin"] } : undefined,
  };
}

function port(text: string): string | undefined {
  return /^\d+$/.test(text) && parseListen(text) ? text : undefined;
}

function baseUrl(text: string): string | undefined {
  return /^https?:\/\/[^?#]+$/i.test(text) && URL.canParse(text) ? text.replace(/\/+$/, "") : undefined;
}

const databaseExpected = "a SQLite file (file:<path>, sqlite:<path> or a path); no other store is available";

/** A store's URL from what a deployment for another program has in `DATABASE_URL`. */
function storeUrl(text: string): string | undefined {
  const [, scheme, path = text] = /^([a-z][a-z0-9+.-]+):(?:\/\/)?(.+)$/is.exec(text) ?? [];
  return scheme === undefined || /^(file|sqlite)$/i.test(scheme) ? `sqlite:${path}` : undefined;
}

function variableIssue(name: string, expected: string, text: string | undefined): ConfigIssue {
  if (!text)
    return {
      path: name,
      location: undefined,
      message: `the surflux preset needs this environment variable: ${expected}`,
      expected,
      got: "nothing",
    };
  return mismatch(name, undefined, expected, "another value (not shown)");
}
