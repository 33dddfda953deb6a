import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { vi } from "vitest";
import { patience } from "../../support/patience.ts";

const main = resolve(import.meta.dirname, "../../../dist/cli/main.js");

export interface CliOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What stdin holds; default: nothing. */
  readonly input?: string;
}

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line as a process of its own. */
export interface Cli {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Waits until the condition holds for what was printed so far. */
  until(condition: (cli: Cli) => boolean): Promise<void>;
  /** Ends with the process. */
  readonly result: Promise<CliResult>;
}

/** Starts the built command line, with nothing of this process's environment but the path. */
export function startCli(args: readonly string[], options: CliOptions = {}): Cli {
  const env = { PATH: process.env["PATH"], ...options.env };
  const child = spawn(process.execPath, [main, ...args], { cwd: options.cwd ?? tmpdir(), env });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input ?? "");
  const result = new Promise<CliResult>((done) => child.on("close", (code) => done({ code, stdout, stderr })));
  const cli: Cli = {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    result,
    until: async (condition) => {
      await vi
        .waitUntil(() => condition(cli), { timeout: patience, interval: 10 })
        .catch(() => {
          throw new Error(`waited in vain; stdout:\n${stdout}\nstderr:\n${stderr}`);
        });
    },
  };
  return cli;
}

/** Runs the command line to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return startCli(args, options).result;
}

/** Starts `spillway serve` and waits until it listens. */
export async function startServe(
  args: readonly string[],
  options: CliOptions = {},
): Promise<Cli & { readonly url: string }> {
  const cli = startCli(["serve", "--port", "0", ...args], options);
  await cli.until(({ stdout }) => stdout().includes('"listening"'));
  const url = /"address":"([^"]+)"/.exec(cli.stdout())?.[1];
  if (url === undefined) throw new Error(`no address in ${cli.stdout()}`);
  return { ...cli, url };
}

/** A directory of its own for the time of an action. */
export async function withDirectory<T>(action: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "spillway-cli-"));
  try {
    return await action(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}
