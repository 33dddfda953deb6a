import { SpillwayError } from "../../errors.ts";

/** The error of a store URL that cannot be used. It never repeats the URL, which may hold a password. */
export function invalidStoreUrl(expected: string, got: string): SpillwayError {
  return new SpillwayError("config-invalid", `store: expected ${expected}, got ${got}`, {
    field: "store",
    expected,
    got,
  });
}
