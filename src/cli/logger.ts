import { pino, stdTimeFunctions } from "pino";
import type { Logger } from "../util/logger.ts";

/** What `--log-level` takes, from everything to nothing. */
export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

export type LogLevel = (typeof logLevels)[number];

/** Logs to stdout: one JSON object a line, or something shorter where a person is watching. */
export function createLogger(level: LogLevel): Logger {
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return process.stdout.isTTY ? pino(options, { write: writeShort }) : pino(options);
}

function writeShort(line: string): void {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const pairs = Object.entries(fields).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  process.stdout.write(`${[String(time).slice(11, 23), String(level).padEnd(5), msg, ...pairs].join(" ")}\n`);
}
