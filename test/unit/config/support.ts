import { ConfigError } from "../../../src/config/issues.ts";

/** The ConfigError that an action throws. */
export function catchConfigError(action: () => unknown): ConfigError {
  try {
    action();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("no error was thrown");
}
