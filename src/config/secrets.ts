/** Shows parts of a configuration that may contain secrets. */
import { isPattern } from "../proxy/pattern.ts";
import { schemasOn } from "./json-schema.ts";
import { mask } from "./mask-url.ts";
import type { ConfigPath } from "./source.ts";

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
    /^[\w-]{1,64}$/.test(part) || (index === 1 && (path[0] === "routes" || path[0] === "runs") && isPattern(part));
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

function describeText(value: string): string {
  const scheme = /([a-z][a-z0-9+.-]*):\/\//i.exec(value)?.[1];
  if (scheme !== undefined) return `a ${scheme}: URL (not shown)`;
  // A user and a password before a host.
  if (/:\S*@/.test(value)) return "a string (not shown)";
  return value.length > 60 ? `${JSON.stringify(value.slice(0, 60))}…` : JSON.stringify(value);
}
