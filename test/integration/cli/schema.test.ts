import asyncApiSchema from "@asyncapi/specs/schemas/3.0.0.json" with { type: "json" };
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import { Ajv, type ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { type } from "arktype";
import { defineStream, type StandardSchema } from "spillway/events";
import * as v from "valibot";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { describeAsyncApi } from "../../../src/events/async-api.ts";
import { describeJsonSchema } from "../../../src/events/json-schema.ts";
import { runCli, withDirectory } from "./cli.ts";

const example = resolve("examples/typed-events/prices.js");
const info = { title: "Prices", version: "2.0.0" };

let isAsyncApi: ValidateFunction;
beforeAll(() => {
  isAsyncApi = new Ajv({ strict: false, validateFormats: false, meta: false, validateSchema: false }).compile(
    asyncApiSchema,
  );
});

const tree = z.object({
  name: z.string(),
  get children() {
    return z.array(tree);
  },
});

const definitions = {
  zod: z.object({ symbol: z.string(), price: z.number() }),
  valibot: toStandardJsonSchema(v.object({ symbol: v.string(), price: v.number() })),
  arktype: type({ symbol: "string", price: "number" }),
} satisfies Record<string, StandardSchema>;

describe.each(Object.entries(definitions))("of %s", (_, trade) => {
  const prices = defineStream("prices", { events: { trade, tree }, channels: ["asset:{symbol}", "a.b"] });

  test("the JSON Schema accepts what may be published, and nothing else", () => {
    const validate = new Ajv2020({ strict: false }).compile(describeJsonSchema([prices]));
    const data = { symbol: "btc", price: 1 };
    for (const valid of [
      { event: "trade", data },
      { event: "trade", data, channel: "asset:btc", id: "1" },
      { event: "tree", data: { name: "root", children: [{ name: "leaf", children: [] }] }, channel: "a.b" },
    ])
      expect([valid, validate(valid)]).toEqual([valid, true]);
    for (const invalid of [
      { data },
      { event: "other", data },
      { event: "trade", data: { symbol: "btc" } },
      { event: "trade", data, channel: "axb" },
      { event: "trade", data, other: 1 },
      { event: "tree", data: { name: "root", children: [{ name: 1, children: [] }] } },
    ])
      expect([invalid, validate(invalid)]).toEqual([invalid, false]);
  });

  test("the AsyncAPI document is valid by AsyncAPI's own schema, and its references lead somewhere", () => {
    const orders = defineStream("orders", { events: { "order/placed": z.string() } });
    const document = describeAsyncApi([prices, orders], info);
    expect([isAsyncApi(document), isAsyncApi.errors]).toEqual([true, null]);
    expect(isAsyncApi({ ...document, channels: { prices: { address: 1 } } })).toBe(false);
    const text = JSON.stringify(document);
    const references = [...new Set(Array.from(text.matchAll(/"\$ref":"#\/([^"]*)"/g), ([, path = ""]) => path))];
    expect(references.length).toBeGreaterThan(5);
    for (const path of references) {
      const keys = path.split("/").map((key) => decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~"));
      const found = keys.reduce<unknown>(
        (value, key) => (value as Record<string, unknown> | undefined)?.[key],
        document,
      );
      expect([path, typeof found]).toEqual([path, "object"]);
    }
  });
});

test("the command prints the definitions of a module, and those of the configuration", () =>
  withDirectory(async (cwd) => {
    const direct = await runCli(["schema", example], { cwd });
    expect([direct.code, direct.stderr]).toEqual([0, ""]);
    expect(JSON.parse(direct.stdout)).toMatchObject({
      $ref: "#/$defs/prices",
      $defs: { "prices.trade": { required: ["symbol", "price"] } },
    });
    await writeFile(join(cwd, "spillway.yaml"), `streams:\n  prices: { definition: ${example} }\n  other: {}\n`);
    const args = ["schema", "--asyncapi", "--title", "Prices", "--api-version", "2.0.0"];
    const { code, stdout, stderr } = await runCli(args, { cwd });
    expect([code, stderr]).toEqual([0, ""]);
    const document = JSON.parse(stdout) as Record<string, unknown>;
    expect(document).toMatchObject({
      asyncapi: "3.0.0",
      info,
      channels: {
        "prices": { address: "/streams/prices" },
        "prices/asset:{symbol}": { address: "/streams/prices/asset:{symbol}", parameters: { symbol: {} } },
        "prices.publish": { address: "/streams/prices/events" },
      },
    });
    expect(isAsyncApi(document)).toBe(true);
  }));

test("what cannot be described is an error that says what to do", () =>
  withDirectory(async (cwd) => {
    await writeFile(join(cwd, "spillway.yaml"), "streams:\n  prices: {}\n");
    const without = await runCli(["schema"], { cwd });
    expect([without.code, without.stdout]).toEqual([1, ""]);
    expect(without.stderr).toContain("streams.<name>.definition");
    const standard = '{ version: 1, vendor: "own", validate: (value) => ({ value }) }';
    const events = `{ trade: { "~standard": ${standard} } }`;
    await writeFile(join(cwd, "own.js"), `export const own = { name: "prices", channels: [], events: ${events} };\n`);
    const { code, stderr } = await runCli(["schema", "own.js"], { cwd });
    expect(code).toBe(1);
    expect(stderr).toContain(
      'the event "trade" of the stream "prices" cannot be described: the schema of own has no JSON Schema',
    );
    const nothing = await runCli(["schema", "missing.js"], { cwd });
    expect(nothing.stderr).toContain("cannot be read");
  }));

test("check reports a module that defines another stream", () =>
  withDirectory(async (cwd) => {
    await writeFile(join(cwd, "spillway.yaml"), `streams:\n  quotes: { definition: ${example} }\n`);
    const { code, stderr } = await runCli(["check"], { cwd });
    expect(code).toBe(1);
    expect(stderr).toContain("streams.quotes.definition: ");
    expect(stderr).toContain('expected an export of defineStream("quotes", …), got prices');
  }));
