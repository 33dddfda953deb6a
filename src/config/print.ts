import { stringify } from "yaml";
import { z } from "zod";
import type { GatewayOptions } from "../gateway/options.ts";
import { childOf, optionSchema, type OptionSchema } from "./json-schema.ts";
import { mask, maskUrl } from "./mask-url.ts";
import { configSchema, type ParsedConfig } from "./server.ts";

/**
 * Prints the fully resolved configuration as YAML, with secrets masked; without secrets it is a valid configuration
 * file.
 */
export function printConfig({ synchronous, patterns, ...options }: GatewayOptions): string {
  const streams = Object.fromEntries([
    ...Object.entries(options.streams).map(([name, stream]) => [name, { ...stream, onDemand: undefined }]),
    ...Object.entries(patterns).map(([pattern, { stream, onDemand }]) => [pattern, { ...stream, onDemand }]),
  ]) as ParsedConfig["streams"];
  const config = z.encode(configSchema, { ...options, streams, sqlite: { synchronous } });
  return stringify(maskSecrets({ ...config, store: maskStore(options.store) }, optionSchema()), {
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
}

/** The URL of an engine may name several hosts, which `URL` cannot parse. */
function maskStore(url: string): string {
  if (/^(memory|sqlite|program):/i.test(url)) return url;
  const [, start, hosts, rest] = /^([^/]*\/\/(?:[^/?#]*@)?)([^/?#]*)(.*)$/s.exec(url) ?? [];
  return start === undefined ? mask : maskUrl(`${start}hosts${rest}`).replace("hosts", () => hosts!);
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
