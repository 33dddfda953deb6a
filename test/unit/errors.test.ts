import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { SpillwayError, errorCodes } from "../../src/errors.ts";

const catalogue = resolve(import.meta.dirname, "../../docs/reference/errors.md");

/** The rows of the table in the catalogue: code and meaning. */
async function documented(): Promise<[code: string, meaning: string][]> {
  const text = await readFile(catalogue, "utf8");
  return Array.from(text.matchAll(/^\| `([^`]+)`\s*\| ([^|]+?)\s*\|/gm), ([, code = "", meaning = ""]) => [
    code,
    meaning,
  ]);
}

test("the catalogue of errors lists every code with its meaning, and nothing else", async () => {
  const rows = await documented();
  expect(Object.fromEntries(rows)).toEqual(errorCodes);
  expect(rows).toHaveLength(Object.keys(errorCodes).length);
});

test("an error without a message of its own says what its code means", () => {
  const error = new SpillwayError("gap");
  expect(error).toMatchObject({ name: "SpillwayError", code: "gap", message: errorCodes.gap });
});

test("an error keeps the field at fault and its cause", () => {
  const cause = new Error("underneath");
  const error = new SpillwayError("request-invalid", "bad", { field: "since", expected: "a time", got: "x", cause });
  expect(error).toMatchObject({ field: "since", expected: "a time", got: "x", cause });
});
