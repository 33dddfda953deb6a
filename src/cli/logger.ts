import type { EventEmitter } from "node:events";
import { styleText } from "node:util";
import { pino, stdTimeFunctions } from "pino";
import type { Logger } from "../util/logger.ts";
import { redact } from "../util/redact.ts";

/** What `--log-level` takes, from everything to nothing. */
export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

export type LogLevel = (typeof logLevels)[number];

/** A logger that a program ends with. */
export interface ProgramLogger extends Logger {
  /** Shows lines to a person who is watching a terminal, at the level `info`; they are in no log. */
  note(lines: readonly string[]): void;
  /**
   * Resolves once what was logged is written, or nobody reads it any more; in a bounded time. To be called before the process ends:
   * pino's own way out tries for ever to write to a pipe that is closed.
   */
  flush(): Promise<void>;
}

/**
 * Logs to stdout: one JSON object a line, or something shorter where a person is watching. Every line goes through {@link redact}, so
 * that no caller can print a secret.
 */
export function createLogger(level: LogLevel): ProgramLogger {
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { req: request, request, headers: () => undefined },
    hooks: { streamWrite: redact },
  };
  const terminal = process.stdout.isTTY;
  const stdout = terminal ? undefined : pino.destination({ fd: 1, sync: false });
  const logger = pino(options, stdout ?? { write: writeShort });
  return {
    debug: logger.debug.bind(logger),
    info: logger.info.bind(logger),
    warn: logger.warn.bind(logger),
    error: logger.error.bind(logger),
    note(lines) {
      if (terminal && logger.isLevelEnabled("info")) process.stdout.write(lines.map((line) => `  ${line}\n`).join(""));
    },
    flush: () => (stdout ? untilWritten(stdout) : Promise.resolve()),
  };
}

/** How long whoever reads the log may take for what is left of it, in ms. */
const patience = 500;

function untilWritten(stdout: EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, patience);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    stdout.once("drain", done).once("error", done);
  });
}

/** Of a request only what cannot hold a secret: no header, and the path without its query. */
function request(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  const { method, url, path = url } = value as Readonly<Record<"method" | "url" | "path", unknown>>;
  return { method, path: typeof path === "string" ? path.replace(/[?#].*/s, "") : undefined };
}

const colours: Readonly<Record<string, "gray" | "cyan" | "yellow" | "red">> = {
  debug: "gray",
  info: "cyan",
  warn: "yellow",
  error: "red",
};

function writeShort(line: string): void {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const pairs = Object.entries(fields).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  const label = String(level).padEnd(5);
  const colour = process.env["NO_COLOR"] ? undefined : colours[String(level)];
  const shown = colour === undefined ? label : styleText(colour, label, { validateStream: false });
  process.stdout.write(`${[String(time).slice(11, 23), shown, msg, ...pairs].join(" ")}\n`);
}
