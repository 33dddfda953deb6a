import { monotonicMs } from "./durations.ts";

/** The subset of pino's interface that Spillway uses. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The same logger, with these fields in every line. */
export function withFields(logger: Logger, bound: object): Logger {
  return {
    debug: (fields, message) => logger.debug({ ...bound, ...fields }, message),
    info: (fields, message) => logger.info({ ...bound, ...fields }, message),
    warn: (fields, message) => logger.warn({ ...bound, ...fields }, message),
    error: (fields, message) => logger.error({ ...bound, ...fields }, message),
  };
}

/** Logs nothing. The default of the library; the CLI uses pino. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** How long a warning is not repeated, in ms. */
const pause = 60_000;

/** The same function, which logs the first of many equal warnings, and later how many there were in between. */
export function withPauses(warn: Logger["warn"]): Logger["warn"] {
  let next = -Infinity;
  let omitted = 0;
  return (fields, message) => {
    const now = monotonicMs();
    if (now < next) return void omitted++;
    warn({ ...fields, ...(omitted > 0 && { omitted }) }, message);
    next = now + pause;
    omitted = 0;
  };
}
