/** Shows parts of a configuration that may contain secrets. */
import { stringify } from "yaml";
import { z } from "zod";
import type { GatewayOptions } from "../gateway/options.ts";
import { isPattern } from "../proxy/pattern.ts";
import { childOf, optionSchema, schemasOn, type OptionSchema } from "./json-schema.ts";
import { configSchema } from "./server.ts";
import type { ConfigPath } from "./source.ts";

/** Replaces a value that is not shown. */
const mask = "***";

/** Whether the value at the path is the URL of something to connect to. */
export function isUrlPath(path: ConfigPath): boolean {
  return schemasOn(path).at(-1)?.secret === "url";
}

/** Whether the value at the path may hold credentials. */
export function isSecretPath(path: ConfigPath): boolean {
  return isUrlPath(path) || schemasOn(path).some((schema) => schema?.secret === true);
}

/** The path with dots. Masks parts that do not look like a key, because they may be misplaced values. */
export function showPath(path: ConfigPath): string {
  const isKey = (part: string, index: number): boolean =>
    /^[\w-]{1,64}$/.test(part) || (index === 1 && path[0] === "routes" && isPattern(part));
  return path.map((part, index) => (isKey(String(part), index) ? part : mask)).join(".");
}

/** Describes a value, shortened; only its kind if it may be secret, and only the scheme of a URL. */
export function describe(value: unknown, secret: boolean): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a section with keys";
  if (secret) return `a ${typeof value} (not shown)`;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "string" ? describeText(value) : `a ${typeof value}`;
}

/**
 * Describes a value that should be a URL: an address without a scheme as {@link maskUrl} shows it, else only its kind.
 */
export function describeUrl(text: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1];
  if (scheme !== undefined) return `a URL that begins with ${scheme}:// (not shown)`;
  if (!address.test(text) || !URL.canParse(`https://${text}`)) return "a string (not shown)";
  const shown = maskUrl(`https://${text}`).slice("https://".length);
  return `${JSON.stringify(shown)}, which has no scheme; write ${/^(localhost|127\.)/.test(shown) ? "http" : "https"}://${shown}`;
}

/** An optional user and a host: a name with dots, an IPv4 address, or a name with a port. Does not match an API key. */
const address =
  /^(?:[^@/?#\s]*@)?(?:localhost|(?:[a-z0-9-]+\.)+(?:[a-z]{2,24}|\d{1,3})|[a-z0-9-]+(?=:\d))(?::\d{1,5})?(?:[/?#]|$)/;

function describeText(value: string): string {
  const scheme = /([a-z][a-z0-9+.-]*):\/\//i.exec(value)?.[1];
  if (scheme !== undefined) return `a ${scheme}: URL (not shown)`;
  return value.length > 60 ? `${JSON.stringify(value.slice(0, 60))}…` : JSON.stringify(value);
}

/** The URL with its user info and the values of its query masked. A parameter without a value is masked entirely. */
export function maskUrl(text: string): string {
  const url = new URL(text);
  const user = url.username || url.password ? `${mask}@` : "";
  const names = [...url.searchParams].map(([name, value]) =>
    value === "" ? mask : `${encodeURIComponent(name)}=${mask}`,
  );
  return `${url.protocol}//${user}${url.host}${url.pathname}${names.length > 0 ? `?${names.join("&")}` : ""}`;
}

/**
 * Prints the fully resolved configuration as YAML, with secrets masked; without secrets it is a valid configuration
 * file.
 */
export function printConfig({ synchronous, ...options }: GatewayOptions): string {
  const config = z.encode(configSchema, { ...options, sqlite: { synchronous } });
  return stringify(maskSecrets({ ...config, store: maskStore(options.store) }, optionSchema()), {
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
}

function maskStore(url: string): string {
  return /^(memory|sqlite):/.test(url) ? url : maskUrl(url);
}

function maskSecrets(value: unknown, schema: OptionSchema | undefined): unknown {
  if (typeof value === "function") return mask;
  if (Array.isArray(value)) return value.map((item, index) => maskSecrets(item, schema && childOf(schema, index)));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, maskSecrets(inner, schema && childOf(schema, key))]),
    );
  if (typeof value !== "string" || schema?.secret === undefined) return value;
  return schema.secret === "url" ? maskUrl(value) : mask;
}
