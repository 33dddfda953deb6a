import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { optionSchema, schemasOn } from "../../../src/config/json-schema.ts";
import { isRouteOption, optionsOf, rowsOf, typesOf, withTable } from "./generate.ts";

const root = resolve(import.meta.dirname, "../../..");
const pagePath = `${root}/docs/reference/config.md`;

/** The members of a grant, as of every key; `name`, `hash` and `expires` are the key's own. */
const grant = optionsOf(
  schemasOn(["access", "anonymous"])
    .at(-1)!
    .anyOf!.find(({ properties }) => properties)!,
);

test("the tables of the reference are those of the declared options (npm run generate)", async () => {
  const all = optionsOf(optionSchema());
  const below = (section: string): typeof all => all.filter(({ key }) => key.startsWith(`${section}.`));
  const [routes, runs] = [below("routes"), below("runs")];
  const tables = {
    options: rowsOf(
      all.filter((option) => !routes.includes(option) && !runs.includes(option)),
      "key",
    ),
    routes: rowsOf(routes, "key"),
    runs: rowsOf(
      runs.filter((option) => !isRouteOption(option, routes)),
      "key",
    ),
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
