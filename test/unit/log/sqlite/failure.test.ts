import { expect, test } from "vitest";
import { SpillwayError } from "../../../../src/errors.ts";
import { failureError, storeError, toFailure } from "../../../../src/log/sqlite/failure.ts";

test("SQLite's codes, also extended ones, become those of a store", () => {
  // node:sqlite gives the extended code in `errcode`, @photostructure/sqlite in a property of its own.
  const errors = [
    [{ errcode: 5 }, "store-locked"],
    [{ errcode: 6 }, "store-locked"],
    [{ errcode: 517 }, "store-locked"],
    [{ errcode: 8 }, "store-readonly"],
    [{ errcode: 1032 }, "store-readonly"],
    [{ errcode: 11 }, "store-corrupt"],
    [{ errcode: 26 }, "store-corrupt"],
    [{ errcode: 10, sqliteExtendedCode: 8458 }, "store-corrupt"],
    [{ errcode: 13 }, "store-full"],
    [{ errcode: 4874 }, "store-full"],
    [{ errcode: 10, sqliteExtendedCode: 4874 }, "store-full"],
    [{ errcode: 10 }, "store-unavailable"],
    [{ errcode: 14 }, "store-unavailable"],
    [{}, "store-unavailable"],
  ] as const;
  for (const [properties, code] of errors) {
    expect(toFailure(Object.assign(new Error("says SQLite"), properties))).toEqual({ code, message: "says SQLite" });
  }
});

test("a Spillway error keeps its code, and a value that is not an error is store-unavailable", () => {
  expect(toFailure(new SpillwayError("store-schema", "m"))).toEqual({ code: "store-schema", message: "m" });
  expect(toFailure("text")).toEqual({ code: "store-unavailable", message: "text" });
});

test("the path is named once", () => {
  expect(failureError({ code: "store-full", message: "no room" }, "/a/b.db").message).toBe("/a/b.db: no room");
  expect(failureError({ code: "store-full", message: "no room in /a/b.db" }, "/a/b.db").message).toBe(
    "no room in /a/b.db",
  );
  const own = new SpillwayError("store-closed");
  expect(storeError(own, "/a/b.db")).toBe(own);
});
