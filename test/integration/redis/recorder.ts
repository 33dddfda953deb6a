import type { Logger } from "../../../src/util/logger.ts";

/** A logger that keeps what it is told. */
export interface Recorder extends Logger {
  readonly warnings: string[];
  /** Why connections failed. */
  readonly reasons: string[];
}

/** Makes a {@link Recorder}. */
export function createRecorder(): Recorder {
  const warnings: string[] = [];
  const reasons: string[] = [];
  const note = (fields: object): void => {
    const { reason } = fields as { reason?: string };
    if (reason !== undefined) reasons.push(reason);
  };
  return {
    warnings,
    reasons,
    debug: note,
    info() {},
    warn(fields, message) {
      note(fields);
      warnings.push(message);
    },
    error() {},
  };
}
