import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { driverBinaries } from "../../../src/log/sqlite/driver.ts";

test("every binary of the SQLite package is named, so that tools that copy named files copy them", () => {
  const folder = resolve(import.meta.dirname, "../../../node_modules/@photostructure/sqlite/prebuilds");
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  expect(driverBinaries.map((url) => decodeURIComponent(fileURLToPath(url))).toSorted()).toEqual(files.toSorted());
});
