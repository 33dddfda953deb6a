import { SpillwayError } from "../../errors.ts";

/** The error of a store whose client library cannot be loaded: `driver-missing`, with the command that installs it. */
export function driverMissing(store: string, packages: readonly string[], cause: unknown): SpillwayError {
  const names = packages.join(" ");
  const message = `the ${store} store needs ${names}; install it with: npm install ${names}`;
  return new SpillwayError("driver-missing", message, { expected: names, cause });
}
