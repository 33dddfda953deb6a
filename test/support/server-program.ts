import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { findProgram } from "./programs.ts";
import { eventually } from "./reader.ts";

/** How a server is started. */
export interface ServerCommand {
  /** A name on the path, or an absolute path. */
  readonly program: string;
  /** Asked for at each start. */
  args(): readonly string[];
  /** Whether it serves by now. */
  isReady(): Promise<boolean>;
  readonly options?: Pick<SpawnOptions, "cwd" | "env" | "uid" | "gid">;
}

/** A server that a test starts, ends and starts again. */
export interface ServerProgram {
  /** Starts it, and resolves once it is ready. */
  start(): Promise<void>;
  /** Sends a signal and resolves once the process has ended, at once if none runs. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** Stops the process, or lets it go on; resolves once it stands still. */
  pause(on: boolean): Promise<void>;
  /** What it has printed since its last start. */
  output(): string;
}

/** Defines a server; it does not run yet. */
export function createServerProgram({ program, args, isReady, options }: ServerCommand): ServerProgram {
  let child: ChildProcess | undefined;
  let output = "";
  const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

  return {
    async start() {
      const stdio = ["ignore", "pipe", "pipe"] as const;
      const started = spawn(findProgram(program) ?? program, args(), { ...options, stdio: [...stdio] });
      child = started;
      output = "";
      for (const channel of [started.stdout, started.stderr]) {
        channel?.on("data", (piece: Buffer) => (output += piece.toString()));
      }
      await eventually(async () => hasEnded(started) || (await isReady()), `${program} to be ready`, 20);
      if (hasEnded(started)) throw new Error(`${program} ended with ${started.exitCode}: ${output}`);
    },
    async end(signal) {
      if (child === undefined || hasEnded(child)) return;
      const exited = once(child, "exit");
      child.kill(signal);
      await exited;
    },
    async pause(on) {
      child!.kill(on ? "SIGSTOP" : "SIGCONT");
      const hasStopped = async (): Promise<boolean> =>
        /^State:\s+T/m.test(await readFile(`/proc/${child!.pid}/status`, "utf8"));
      if (on) await eventually(hasStopped, `${program} to stand still`);
    },
    output: () => output,
  };
}
