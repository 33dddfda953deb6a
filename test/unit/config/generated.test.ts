import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { optionSchema, schemasOn } from "../../../src/config/json-schema.ts";
import { optionsOf, rowsOf, typesOf, withTable } from "./generate.ts";

const root = resolve(import.meta.dirname, "../../..");
const pagePath = `${root}/docs/reference/config.md`;

/** The members of a grant, as of every key; `name`, `hash` and `expires` are the key's own. */
const grant = optionsOf(
  schemasOn(["access", "anonymous"])
    .at(-1)!
    .anyOf!.find(({ properties }) => properties)!,
);

test("the tables of the reference are those of the declared options (npm run generate)", async () => {
  const isOfRoute = ({ key }: { readonly key: string }): boolean => key.startsWith("routes.");
  const all = optionsOf(optionSchema());
  const tables = {
    options: rowsOf(
      all.filter((option) => !isOfRoute(option)),
      "key",
    ),
    routes: rowsOf(all.filter(isOfRoute), "key"),
    grants: rowsOf(grant, "member"),
  };
  const page = Object.entries(tables).reduce(
    (text, [name, rows]) => withTable(text, name, rows),
    readFileSync(pagePath, "utf8"),
  );
  await expect(page).toMatchFileSnapshot(pagePath);
});

test("the exported types are those of the declared options (npm run generate)", async () => {
  await expect(typesOf(optionSchema())).toMatchFileSnapshot(`${root}/src/config/config.ts`);
});
