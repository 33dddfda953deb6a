import { redact } from "../util/redact.ts";
import { silentLogger, type Logger } from "../util/logger.ts";

/* oxlint-disable no-console -- that of the program around it, which may have put its own in the place */

/** Writes warnings and errors to stderr, a line each, and nothing else: for a program that has given the library no logger. */
export const plainLogger: Logger = {
  ...silentLogger,
  warn: (fields, message) => console.warn(format("warn", fields, message)),
  error: (fields, message) => console.error(format("error", fields, message)),
};

function format(level: string, fields: object, message: string): string {
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${JSON.stringify(value instanceof Error ? value.message : value)}`);
  return redact([`spillway: ${level}: ${message}`, ...pairs].join(" "));
}
