import { expect, test } from "vitest";
import { loadDriver, type SqliteDatabase } from "../../../../src/log/sqlite/driver.ts";
import { applicationId, checkSchema, prepareSchema } from "../../../../src/log/sqlite/schema.ts";

const { DatabaseSync } = await loadDriver();

function open(): SqliteDatabase {
  return new DatabaseSync(":memory:", { readOnly: false });
}

test("an empty database becomes a log once, and identifies itself as one", () => {
  const database = open();
  prepareSchema(database);
  prepareSchema(database);
  const named = database.prepare("SELECT application_id AS id FROM pragma_application_id").get();
  expect([named?.["id"], Buffer.from(applicationId.toString(16), "hex").toString()]).toEqual([applicationId, "Spil"]);
  expect(checkSchema(database)).toBe(3);
});

test("a foreign database is refused before anything is written", () => {
  const database = open();
  database.exec("CREATE TABLE theirs (a)");
  expect(() => prepareSchema(database)).toThrow(expect.objectContaining({ code: "store-corrupt" }));
  expect(
    database
      .prepare("SELECT name FROM sqlite_schema")
      .all()
      .map(({ name }) => name),
  ).toEqual(["theirs"]);
});

test("a newer version is refused", () => {
  const database = open();
  prepareSchema(database);
  database.exec("PRAGMA user_version = 4");
  expect(() => prepareSchema(database)).toThrow(expect.objectContaining({ code: "store-schema" }));
});
