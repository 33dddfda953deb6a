#!/usr/bin/env node
import { CommanderError } from "commander";
import { SpillwayError } from "../errors.ts";
import { createProgram } from "./program.ts";

try {
  const program = await createProgram(process.argv.slice(2));
  await program.parseAsync();
} catch (error) {
  process.exit(reportError(error));
}

/**
 * Prints an error to stderr; with its stack only if it is not a {@link SpillwayError}.
 * @returns the exit code: 0 after help and version, 2 for wrong usage, else 1.
 */
function reportError(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  process.stderr.write(`spillway: ${errorText(error)}\n`);
  return 1;
}

function errorText(error: unknown): string {
  if (!(error instanceof SpillwayError)) return error instanceof Error ? (error.stack ?? error.message) : String(error);
  const lines = error.message.split("\n");
  return lines.length === 1 ? `${error.code}: ${lines[0]}` : [error.code, ...lines].join("\n  ");
}
