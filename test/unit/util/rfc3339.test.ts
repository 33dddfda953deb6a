import { expect, test } from "vitest";
import { parseDateOrTime, parseDateTime } from "../../../src/util/rfc3339.ts";

const noon = Date.UTC(2026, 0, 31, 12);

test.each(["2026-01-31T12:00:00Z", "2026-01-31t12:00:00z", "2026-01-31T12:00:00.000Z", "2026-01-31T13:30:00+01:30"])(
  "%s is a time",
  (text) => {
    expect([parseDateTime(text), parseDateOrTime(text)]).toEqual([noon, noon]);
  },
);

test.each([
  "",
  "today",
  "12",
  "2026-01-31T12:00:00",
  "2026-01-31T12:00Z",
  "2026-13-31T12:00:00Z",
  "2026-01-31T25:00:00Z",
])("%j is not a time", (text) => {
  expect([parseDateTime(text), parseDateOrTime(text)]).toEqual([NaN, NaN]);
});

test("a date alone is midnight in UTC, where dates are accepted", () => {
  expect([parseDateTime("2026-01-31"), parseDateOrTime("2026-01-31")]).toEqual([NaN, Date.UTC(2026, 0, 31)]);
});
