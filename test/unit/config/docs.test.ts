import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { mergeConfig } from "../../../src/config/merge.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { configSchema } from "../../../src/config/schema.ts";
import type { ConfigPath } from "../../../src/config/source.ts";

const root = resolve(import.meta.dirname, "../../..");
const page = readFileSync(join(root, "docs/reference/config.md"), "utf8");
const keyTable = page.slice(page.indexOf("## Keys"), page.indexOf("## Access"));
const rows = Array.from(keyTable.matchAll(/^\| `([^`]+)` *\| *(?:`([^`]+)`)? *\|/gm), ([, key = "", fallback]) => ({
  key,
  fallback,
}));

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
}

/** The paths of all options; a section is none. */
function keysOf(schema: JsonSchema, path: readonly string[] = []): string[] {
  const { properties, additionalProperties: named } = schema;
  if (properties) return Object.entries(properties).flatMap(([key, inner]) => keysOf(inner, [...path, key]));
  return typeof named === "object" ? keysOf(named, [...path, "<name>"]) : [path.join(".")];
}

const schemaKeys = keysOf(z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" }) as JsonSchema);

test("the reference lists exactly the keys of the schema", () => {
  expect(rows.map(({ key }) => key).toSorted()).toEqual(schemaKeys.toSorted());
});

test("the defaults in the reference are the real ones", () => {
  const base = { streams: { a: { upstream: { url: "http://a" } } }, access: { anonymous: ["subscribe"] } };
  const expected = resolveConfig(base);
  for (const { key, fallback } of rows) {
    if (fallback === undefined) continue;
    const path: ConfigPath = key.replace("<name>", "a").split(".");
    const written = path.reduceRight<unknown>((inner, part) => ({ [part]: inner }), parse(fallback));
    expect({ key, options: resolveConfig(mergeConfig(base, written)) }).toEqual({ key, options: expected });
  }
});

test("the types of the configuration name exactly the keys of the schema", () => {
  const files = ["config.ts", "access-config.ts", "limits-config.ts"];
  const source = files.map((file) => readFileSync(join(root, "src/config", file), "utf8")).join("");
  const members = new Set(Array.from(source.matchAll(/^ {2}readonly (\w+)\??:/gm), ([, name]) => name!));
  // Inside the items of `urls` and `keys`, and the choices of `authorize` and `heartbeat`, which the schema above shows as one option each.
  for (const name of ["name", "hash", "expires", "timeout", "cache", "stale", "interval", "event"])
    members.delete(name);
  expect([...members].toSorted()).toEqual(
    [...new Set(schemaKeys.flatMap((key) => key.split(".")))].filter((key) => key !== "<name>").toSorted(),
  );
});
