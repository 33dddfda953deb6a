import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { findProgram } from "./programs.ts";
import { eventually } from "./reader.ts";

/** How a server is started. */
export interface ServerCommand {
  /** A name on the path, or an absolute path. */
  readonly program: string;
  /** Called at each start. */
  args(): readonly string[];
  /** Whether it serves requests. */
  isReady(): Promise<boolean>;
  readonly options?: Pick<SpawnOptions, "cwd" | "env" | "uid" | "gid">;
}

/** A server that a test starts, stops and restarts. */
export interface ServerProgram {
  /** Starts it, and resolves once it is ready. */
  start(): Promise<void>;
  /** Sends a signal and resolves once the process has ended, or at once if it is not running. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** Pauses or resumes the process; resolves once it is paused. */
  pause(on: boolean): Promise<void>;
  /** Its output since the last start. */
  output(): string;
}

/** Defines a server without starting it. */
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
