/** The part of pino that Spillway uses: any logger of that shape will do. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Says nothing. The default of the library; the CLI brings pino. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
