import type { EventEmitter } from "node:events";
import { styleText } from "node:util";
import { pino, stdTimeFunctions } from "pino";
import type { Logger } from "../util/logger.ts";
import { redact } from "../util/redact.ts";

/** The values of `--log-level`, from most to fewest lines. */
export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

export type LogLevel = (typeof logLevels)[number];

/** The logger of a program, which is flushed before the process exits. */
export interface ProgramLogger extends Logger {
  /** Prints lines to a terminal if the level includes `info`; without a terminal they are dropped. */
  note(lines: readonly string[]): void;
  /**
   * Resolves once all lines are written or cannot be written, at the latest after {@link flushTimeout}. Call it before
   * the process exits: pino's own exit handler retries a write to a closed pipe indefinitely.
   */
  flush(): Promise<void>;
}

/**
 * Logs to stdout: one JSON object per line, or a shorter format on a terminal. Every line passes {@link redact}, so
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

/** How long a flush waits for the reader of stdout, in ms. */
const flushTimeout = 500;

function untilWritten(stdout: EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, flushTimeout);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    stdout.once("drain", done).once("error", done);
  });
}

/** The parts of a request that cannot hold a secret: the method, and the path without its query. */
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
