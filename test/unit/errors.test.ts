import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { SpillwayError, errorCodes, type ErrorCode } from "../../src/errors.ts";
import { problem } from "../../src/http/problem.ts";

const catalogue = resolve(import.meta.dirname, "../../docs/reference/errors.md");

/** The rows of the table; the status is "–" for errors that no request gets. */
async function documented(): Promise<{ code: string; meaning: string; status: string }[]> {
  const row = /^\| `(?<code>[^`]+)`\s*\| (?<meaning>[^|]+?)\s*\| (?<status>\d+|–)\s*\|/gmu;
  const text = await readFile(catalogue, "utf8");
  return Array.from(text.matchAll(row), ({ groups }) => groups as { code: string; meaning: string; status: string });
}

test("the error reference lists exactly the existing codes, with their meaning", async () => {
  const rows = await documented();
  expect(Object.fromEntries(rows.map(({ code, meaning }) => [code, meaning]))).toEqual(errorCodes);
  expect(rows).toHaveLength(Object.keys(errorCodes).length);
});

test("the error reference has the status of the response for each code", async () => {
  for (const { code, status } of await documented()) {
    const answered = problem(new SpillwayError(code as ErrorCode));
    const isKnown = (JSON.parse(answered.body!) as { code: string }).code === code;
    expect(status, code).toBe(!isKnown ? "–" : String(answered.status));
  }
});

test("an error without its own message has the meaning of its code", () => {
  const error = new SpillwayError("gap");
  expect(error).toMatchObject({ name: "SpillwayError", code: "gap", message: errorCodes.gap });
});

test("an error keeps the invalid field and its cause", () => {
  const cause = new Error("underneath");
  const error = new SpillwayError("request-invalid", "bad", { field: "since", expected: "a time", got: "x", cause });
  expect(error).toMatchObject({ field: "since", expected: "a time", got: "x", cause });
});
