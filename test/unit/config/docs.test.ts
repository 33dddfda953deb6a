import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import type { UpstreamConfig } from "../../../src/config/config.ts";
import { optionSchema } from "../../../src/config/json-schema.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { mergeConfig, type ConfigPath } from "../../../src/config/source.ts";
import { isRouteOption, optionsOf } from "./generate.ts";

const root = resolve(import.meta.dirname, "../../..");
const page = readFileSync(join(root, "docs/reference/config.md"), "utf8");
const keyTable = page.slice(page.indexOf("## Keys"), page.indexOf("## Access"));
const rows = Array.from(keyTable.matchAll(/^\| `([^`]+)` *\| *(?:`([^`]+)`)? *\|/gm), ([, key = "", fallback]) => ({
  key,
  fallback,
}));

const options = optionsOf(optionSchema());
const declared = options.filter((option) => !isRouteOption(option, options)).map(({ key }) => key);

test("the reference lists exactly the keys of the schema", () => {
  expect(rows.map(({ key }) => key).toSorted()).toEqual(declared.toSorted());
});

test("the defaults in the reference are the actual ones", () => {
  const access = { anonymous: ["subscribe", "proxy"], jwt: { jwks: "https://issuer.example/keys" } };
  const routes = { "/a": { upstream: { url: "http://a", health: { path: "/" } } } };
  const runs = { "/b": { upstream: { url: "http://a" } } };
  const deliveries = { a: { stream: "a", url: "http://a", sign: { secret: `whsec_${"a".repeat(32)}` } } };
  for (const { key, fallback } of rows) {
    if (fallback === undefined) continue;
    const upstream = upstreamFor(key);
    const streams = { "a": { upstream, webhook: { scheme: "none" } }, "a-*": {} };
    const base = { streams, routes, runs, deliveries, access };
    const expected = resolveConfig(base);
    const path: ConfigPath = key
      .replace("<name>", key.includes(".onDemand.") ? "a-*" : "a")
      .replace("<path>", key.startsWith("runs.") ? "/b" : "/a")
      .split(".");
    const written = path.reduceRight<unknown>((inner, part) => ({ [part]: inner }), parse(fallback));
    expect({ key, options: resolveConfig(mergeConfig(base, written)) }).toEqual({ key, options: expected });
  }
});

/** An upstream that may have the option. */
function upstreamFor(key: string): UpstreamConfig {
  const [, , , section, option] = key.split(".");
  if (section === "poll") return { url: "http://a", poll: { cursor: { from: "/next", query: "since" } } };
  if (section === "websocket") return { url: "ws://a", websocket: {} };
  if (section === "redis")
    return { url: "redis://a", redis: option === "subscribe" ? { psubscribe: ["a"] } : { subscribe: ["a"] } };
  if (section === "mqtt") return { url: "mqtt://a", mqtt: { topics: ["a"] } };
  if (section === "amqp") return { url: "amqp://a", amqp: { queue: "a" } };
  return { url: "http://a" };
}
