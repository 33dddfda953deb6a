import { expect, test } from "vitest";
import { SpillwayError } from "../../../src/errors.ts";
import { breaksConnection, driverFailure, isAbsent, storeError } from "../../../src/log/postgres/failure.ts";

/** An error as the driver creates it from a server error. */
const fromServer = (code: string): Error => Object.assign(new Error("said"), { code, severity: "ERROR" });
/** An error of the connection. */
const fromSocket = (code: string): Error => Object.assign(new Error("lost"), { code });

test("an error of the server has its own code, or is store-unavailable", () => {
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

test("the outcome of a statement is unknown if its connection was lost; a refused statement has done nothing", () => {
  const lost = [fromSocket("EPIPE"), fromSocket("ECONNRESET"), fromServer("57P01"), fromServer("08006")];
  for (const error of lost) expect(driverFailure(error)).toMatchObject({ unknown: true, retry: true });
  for (const code of ["40001", "40P01"]) {
    expect(driverFailure(fromServer(code))).toMatchObject({ retry: true });
    expect(driverFailure(fromServer(code)).unknown).toBeUndefined();
  }
  const refused = [...["53100", "25006", "23505", "42P01"].map(fromServer), new SpillwayError("store-unavailable")];
  for (const error of refused) {
    const { unknown = false, retry = false } = driverFailure(error);
    expect([unknown, retry]).toEqual([false, false]);
  }
});

test("a connection is dropped when it is lost, and when its server no longer accepts writes", () => {
  expect([fromSocket("EPIPE"), fromServer("57P01"), fromServer("25006")].map(breaksConnection)).toEqual([
    true,
    true,
    true,
  ]);
  expect([fromServer("23505"), fromServer("42P01")].map(breaksConnection)).toEqual([false, false]);
});

test("missing tables, functions and schemas are distinguished from other errors", () => {
  expect(["42P01", "42883", "3F000", "23505"].map((code) => isAbsent(fromServer(code)))).toEqual([
    true,
    true,
    true,
    false,
  ]);
});
