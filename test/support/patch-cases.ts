import { createRequire } from "node:module";

interface PatchCase {
  readonly doc: unknown;
  readonly expected?: unknown;
}

const require = createRequire(import.meta.url);

/** The documents of json-patch-tests, before and after each of its patches, in documents that are worth a patch. */
export function patchCases(): unknown[] {
  const cases: PatchCase[] = [
    require("json-patch-test-suite/tests.json") as PatchCase[],
    require("json-patch-test-suite/spec_tests.json") as PatchCase[],
  ].flat();
  return cases
    .filter(({ expected }) => expected !== undefined)
    .flatMap(({ doc, expected }) => [doc, expected])
    .map((document) => ({ document, padding: "x".repeat(500) }));
}
