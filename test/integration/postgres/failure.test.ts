import { expect, test } from "vitest";
import { SpillwayError } from "../../../src/errors.ts";
import { breaksConnection, isAbsent, isWorthRepeating, storeError } from "../../../src/log/postgres/failure.ts";

/** An error as the driver makes it of what the server says. */
const fromServer = (code: string): Error => Object.assign(new Error("said"), { code, severity: "ERROR" });
/** An error of the connection. */
const fromSocket = (code: string): Error => Object.assign(new Error("lost"), { code });

test("what the server says has a code of its own, or is store-unavailable", () => {
  const codes = ["53100", "25006", "42501", "42P07", "XX001", "57P01", "23505"].map(
    (code) => storeError(fromServer(code)).code,
  );
  expect(codes).toEqual([
    "store-full",
    "store-readonly",
    "store-readonly",
    "store-corrupt",
    "store-corrupt",
    "store-unavailable",
    "store-unavailable",
  ]);
  // A connection refused at several addresses has no message of its own.
  const refused = Object.assign(new Error("several"), { message: "", code: "ECONNREFUSED" });
  expect(storeError(refused)).toMatchObject({ code: "store-unavailable", message: "PostgreSQL: ECONNREFUSED" });
  const own = new SpillwayError("store-closed");
  expect(storeError(own)).toBe(own);
});

test("nobody knows what a statement did whose connection was lost; what the server refused has done nothing", () => {
  // Five letters are not yet a SQLSTATE.
  for (const code of ["EPIPE", "ECONNRESET"]) expect(isWorthRepeating(fromSocket(code))).toBe(true);
  for (const code of ["57P01", "08006", "40001", "40P01"]) expect(isWorthRepeating(fromServer(code))).toBe(true);
  for (const code of ["53100", "25006", "23505", "42P01"]) expect(isWorthRepeating(fromServer(code))).toBe(false);
  expect(isWorthRepeating(new SpillwayError("store-unavailable"))).toBe(false);
});

test("a connection is given up when it is lost, and when its server takes no writes any more", () => {
  expect([fromSocket("EPIPE"), fromServer("57P01"), fromServer("25006")].map(breaksConnection)).toEqual([
    true,
    true,
    true,
  ]);
  expect([fromServer("23505"), fromServer("42P01")].map(breaksConnection)).toEqual([false, false]);
});

test("tables, functions and schemas that are gone are told from other errors", () => {
  expect(["42P01", "42883", "3F000", "23505"].map((code) => isAbsent(fromServer(code)))).toEqual([
    true,
    true,
    true,
    false,
  ]);
});
